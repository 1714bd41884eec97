/**
 * Takes everything out of a ring until the stop control slot, then tells what it saw. Waits before it begins until the ring is full
 * when `whenFull` is set.
 */
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { CONTROL_FLAG, Control } from '../../src/record/control.js';
import { RingConsumer } from '../../src/ring/consumer.js';
import { RingMemory } from '../../src/ring/layout.js';

export interface ConsumerTask {
  readonly ring: SharedArrayBuffer;
  readonly whenFull: boolean;
}

/** One line per slot: a control's kind and first argument, or a message's length. */
export interface Consumed {
  readonly messages: number;
  readonly controls: { kind: number; a: number; messagesBefore: number }[];
  /** SHA-256 over each message's time, length and bytes. */
  readonly digest: string;
}

const task = workerData as ConsumerTask;
const consumer = new RingConsumer(new RingMemory(task.ring));
const { ring } = consumer;
const hash = createHash('sha256');
const controls: Consumed['controls'] = [];
let messages = 0;
let stopped = false;

while (task.whenFull && consumer.available() < ring.slots)
  Atomics.wait(ring.control, 0, consumer.available(), 1);
while (!stopped) {
  const count = consumer.waitReadable(1000);
  for (let slot = consumer.index; slot < consumer.index + count; slot++) takeSlot(slot);
  // Whoever reads a released slot reads poison.
  ring.bytes.fill(
    0xee,
    ring.offsetOf(consumer.index),
    ring.offsetOf(consumer.index) + count * ring.slotBytes,
  );
  if (count > 0) consumer.release(count);
}
parentPort?.postMessage({ messages, controls, digest: hash.digest('hex') } satisfies Consumed);

function takeSlot(slot: number): void {
  const flags = ring.flagsOf(slot);
  const at = ring.offsetOf(slot);
  if (flags >= CONTROL_FLAG) {
    const kind = flags - CONTROL_FLAG;
    const [a] = new Float64Array(ring.buffer, at, 1);
    controls.push({ kind, a, messagesBefore: messages });
    if (kind === Control.stop) stopped = true;
    return;
  }
  const length = ring.lengthOf(slot);
  hash.update(`${ring.timesUs[slot]} ${length} `);
  hash.update(Uint8Array.from(ring.bytes.subarray(at, at + Math.min(length, ring.slotBytes))));
  messages++;
}
