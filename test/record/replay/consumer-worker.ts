/**
 * The parser's place: takes everything out of a ring, once the gate is open, until the stop control slot, and
 * tells what it saw.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { RingMemory } from '../../../src/record/ring/layout.js';
import { CONTROL_FLAG, Control } from '../../../src/record/stage/control.js';

export interface ConsumerTask {
  readonly ring: SharedArrayBuffer;
  /** One word: not 0 when it is open. */
  readonly gate: SharedArrayBuffer;
}

export type Taken =
  | { readonly control: Control; readonly a: number }
  /** `bytes` is what the slot holds of the message. */
  | { readonly timeUs: number; readonly lengthBytes: number; readonly bytes: Uint8Array };

const task = workerData as ConsumerTask;
const consumer = new RingConsumer(new RingMemory(task.ring));
const { ring } = consumer;
const taken: Taken[] = [];
let stopped = false;

Atomics.wait(new Int32Array(task.gate), 0, 0);
while (!stopped) {
  const count = consumer.waitReadable(1000);
  for (let slot = consumer.index; slot < consumer.index + count; slot++) take(slot);
  // Whoever reads a released slot reads poison.
  const from = ring.offsetOf(consumer.index);
  ring.bytes.fill(0xee, from, from + count * ring.slotBytes);
  if (count > 0) consumer.release(count);
}
parentPort?.postMessage(taken);

function take(slot: number): void {
  const flags = ring.flagsOf(slot);
  const at = ring.offsetOf(slot);
  if (flags >= CONTROL_FLAG) {
    const control = (flags - CONTROL_FLAG) as Control;
    taken.push({ control, a: new Float64Array(ring.buffer, at, 1)[0] });
    stopped = control === Control.stop;
    return;
  }
  const lengthBytes = ring.lengthOf(slot);
  const bytes = Uint8Array.from(ring.bytes.subarray(at, at + Math.min(lengthBytes, ring.slotBytes)));
  taken.push({ timeUs: ring.timesUs[slot], lengthBytes, bytes });
}
