import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { InvariantError } from '../../../src/base/errors.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import {
  CACHE_LINE_PAIR_BYTES,
  createRing,
  HEAD_WORD,
  HIGH_WATER_WORD,
  RingMemory,
  RingState,
  STATE_WORD,
  TAIL_WORD,
} from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import type { StressTask } from './stress-worker.js';

const POISON = 0xdeadbeef;

function pair(slots: number): { ring: RingMemory; producer: RingProducer; consumer: RingConsumer } {
  const ring = createRing({ slots, slotBytes: 64, extraBytes: 0 });
  return { ring, producer: new RingProducer(ring), consumer: new RingConsumer(new RingMemory(ring.buffer)) };
}

test('regions lie behind each other, aligned, and nothing overlaps', () => {
  for (const slots of [1, 3, 100, 4097]) {
    for (const extraBytes of [0, 8, 32]) {
      const ring = createRing({ slots, slotBytes: 192, extraBytes });
      assert.ok(ring.extrasOffset >= ring.descriptorsOffset + slots * 64);
      assert.ok(ring.timesUs.byteOffset >= ring.extrasOffset + slots * extraBytes);
      assert.ok(ring.slotsOffset >= ring.timesUs.byteOffset + slots * 8);
      assert.equal(ring.slotsOffset % CACHE_LINE_PAIR_BYTES, 0);
      assert.equal(ring.offsetOf(slots - 1) + ring.slotBytes, ring.buffer.byteLength);
      assert.ok(ring.descriptorsOffset >= ring.control.byteLength);
    }
  }
});

test('each side has its own pair of cache lines', () => {
  for (const [a, b] of [
    [HEAD_WORD, TAIL_WORD],
    [TAIL_WORD, STATE_WORD],
    [HIGH_WATER_WORD, TAIL_WORD],
  ])
    assert.ok(Math.floor(a / 32) !== Math.floor(b / 32));
});

test('sizes that cannot work are refused', () => {
  assert.throws(() => createRing({ slots: 0, slotBytes: 64, extraBytes: 0 }), InvariantError);
  assert.throws(() => createRing({ slots: 4, slotBytes: 100, extraBytes: 0 }), InvariantError);
  assert.throws(() => createRing({ slots: 4, slotBytes: 64, extraBytes: 4 }), InvariantError);
  const other = new SharedArrayBuffer(
    createRing({ slots: 4, slotBytes: 64, extraBytes: 0 }).buffer.byteLength,
  );
  assert.throws(() => new RingMemory(other), InvariantError);
});

test('both views of a ring see the same descriptors', () => {
  const { ring } = pair(5);
  const other = new RingMemory(ring.buffer);
  ring.describe(4, 372, 0x80000001);
  assert.equal(other.lengthOf(4), 372);
  assert.equal(other.flagsOf(4), 0x80000001);
  assert.equal(other.lengthOf(3), 0);
});

test('an empty ring offers nothing, a full ring takes nothing', () => {
  const { producer, consumer } = pair(3);
  assert.equal(consumer.readable(), 0);
  assert.equal(consumer.waitReadable(1), 0);
  assert.equal(producer.writable(100), 3);
  producer.publish(3);
  assert.equal(producer.writable(100), 0);
  assert.equal(producer.free(), 0);
  assert.equal(producer.waitWritable(1), false);
  assert.equal(consumer.readable(), 3);
  consumer.release(1);
  assert.equal(producer.writable(100), 1);
  assert.equal(producer.waitWritable(1), true);
});

test('runs end at the end of the memory and go on at its beginning', () => {
  const { producer, consumer } = pair(5);
  producer.publish(4);
  consumer.release(3);
  assert.equal(producer.free(), 4);
  assert.equal(producer.writable(100), 1); // up to the end
  producer.publish(1);
  assert.equal(producer.index, 0);
  assert.equal(producer.writable(2), 2);
  producer.publish(2);
  assert.equal(consumer.index, 3);
  assert.equal(consumer.available(), 4);
  assert.equal(consumer.readable(), 2);
  consumer.release(2);
  assert.equal(consumer.index, 0);
  assert.equal(consumer.readable(), 2);
});

test('the high-water mark is the most ever in use, for both threads to read', () => {
  const { ring, producer, consumer } = pair(7);
  producer.publish(5);
  consumer.release(4);
  producer.publish(1);
  assert.equal(producer.highWater, 5);
  assert.equal(ring.control[HIGH_WATER_WORD], 5);
});

test('nobody waits for a side that is gone', () => {
  const { ring, producer, consumer } = pair(2);
  producer.publish(2);
  producer.assertOpen();
  consumer.fail();
  assert.throws(() => producer.assertOpen(), InvariantError);
  assert.equal(ring.control[STATE_WORD], RingState.failed);
  assert.equal(producer.waitWritable(2 ** 30), false);
  consumer.release(2);
  assert.equal(consumer.waitReadable(2 ** 30), 0);
});

test('what was published before close can still be read, and then nobody waits', () => {
  const { ring, producer, consumer } = pair(4);
  producer.publish(3);
  producer.close();
  assert.equal(ring.control[STATE_WORD], RingState.closed);
  assert.equal(consumer.waitReadable(2 ** 30), 3);
  consumer.release(3);
  assert.equal(consumer.waitReadable(2 ** 30), 0);
  consumer.fail();
  producer.close();
  assert.equal(ring.control[STATE_WORD], RingState.failed);
});

// Slot counts that are and are not powers of two, batches that do and do not divide them.
for (const [slots, batch, messages] of [
  [1, 1, 20_000],
  [2, 7, 100_000],
  [3, 2, 100_000],
  [100, 33, 500_000],
  [1024, 256, 1_000_000],
  [4099, 5000, 1_000_000],
]) {
  test(`two threads: ${messages} messages, ${slots} slots, up to ${batch} at once`, async () => {
    const ring = createRing({ slots, slotBytes: 64, extraBytes: 0 });
    new Uint32Array(ring.buffer, ring.slotsOffset).fill(POISON);
    const start = (role: StressTask['role']): Promise<void> => {
      const workerData: StressTask = { role, buffer: ring.buffer, messages, batch };
      const worker = new Worker(new URL('./stress-worker.js', import.meta.url), { workerData });
      return new Promise((resolve, reject) => {
        let done = false;
        worker.on('message', () => {
          done = true;
        });
        worker.on('error', reject);
        worker.on('exit', () => (done ? resolve() : reject(new Error(`${role} ended early`))));
      });
    };
    await Promise.all([start('producer'), start('consumer')]);
    assert.equal(ring.control[HEAD_WORD] >>> 0, messages);
    assert.equal(ring.control[TAIL_WORD] >>> 0, messages);
    assert.ok(ring.control[HIGH_WATER_WORD] <= slots);
  });
}
