/**
 * One side of the stress test, on a thread of its own. A message is its sequence number, written over the
 * whole slot. The consumer poisons what it releases, and the producer finds the poison where it may write: so
 * each side notices the other's trespassing.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { RingMemory } from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';

export interface StressTask {
  readonly role: 'producer' | 'consumer';
  readonly buffer: SharedArrayBuffer;
  readonly messages: number;
  /** The most slots taken at once. */
  readonly batch: number;
}

const POISON = 0xdeadbeef;
const WAIT_MS = 10_000;

function produce(ring: RingMemory, { messages, batch }: StressTask): void {
  const producer = new RingProducer(ring);
  const words = new Uint32Array(ring.buffer, ring.slotsOffset);
  const perSlot = ring.slotBytes / 4;
  for (let sequence = 0; sequence < messages; ) {
    if (!producer.waitWritable(WAIT_MS)) throw new Error(`message ${sequence}: no room`);
    const count = Math.min(producer.writable(1 + (sequence % batch)), messages - sequence);
    for (let slot = producer.index; slot < producer.index + count; slot++, sequence++) {
      const first = slot * perSlot;
      if (words[first] !== POISON || words[first + perSlot - 1] !== POISON)
        throw new Error(`message ${sequence}: slot ${slot} is not released`);
      words.fill(sequence, first, first + perSlot);
      ring.describe(slot, sequence, sequence);
      ring.timesUs[slot] = sequence;
    }
    producer.publish(count);
  }
}

function consume(ring: RingMemory, { messages, batch }: StressTask): void {
  const consumer = new RingConsumer(ring);
  const words = new Uint32Array(ring.buffer, ring.slotsOffset);
  const perSlot = ring.slotBytes / 4;
  for (let sequence = 0; sequence < messages; ) {
    const count = Math.min(consumer.waitReadable(WAIT_MS), 1 + (sequence % batch));
    if (count === 0) throw new Error(`message ${sequence}: never came`);
    for (let slot = consumer.index; slot < consumer.index + count; slot++, sequence++) {
      const first = slot * perSlot;
      const found = [words[first], words[first + perSlot - 1], ring.lengthOf(slot), ring.timesUs[slot]];
      if (found.some((value) => value !== sequence))
        throw new Error(`message ${sequence}: slot ${slot} holds ${found}`);
      words.fill(POISON, first, first + perSlot);
    }
    consumer.release(count);
  }
  if (consumer.available() !== 0) throw new Error('more than was sent');
}

const task = workerData as StressTask;
const ring = new RingMemory(task.buffer);
if (task.role === 'producer') produce(ring, task);
else consume(ring, task);
parentPort!.postMessage('done');
