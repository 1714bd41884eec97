import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Watchdog } from '../../../src/record/main/watchdog.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { createRing } from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';

function setup(stalledMs: number, lookMs: number) {
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) });
  const ring = createRing({ slots: 4, slotBytes: 64, extraBytes: 0 });
  const stage = { name: 'writer', ring, obstacle: () => 'the disk hangs' };
  const dog = new Watchdog([stage], log, stalledMs, lookMs);
  return { lines, dog, producer: new RingProducer(ring), consumer: new RingConsumer(ring) };
}

/** Real time passes, on this thread. */
function pass(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('a stage that takes nothing is named once, with since when and why, and once more when it goes on', () => {
  const { lines, dog, producer, consumer } = setup(20, 1000);
  producer.publish(2);
  dog.look();
  for (let i = 0; i < 3; i++) {
    pass(25);
    dog.look();
  }
  assert.equal(lines.length, 1);
  assert.match(
    lines[0],
    /^the writer has made no progress since 2\d{3}-\d\d-\d\dT[\d:.]{12}Z: the disk hangs$/,
  );
  assert.match(dog.stalled.writer, /^no progress for \d+ s: the disk hangs$/);
  consumer.release(1);
  dog.look();
  assert.match(lines[1], /^the writer is making progress again after \d+ s$/);
  assert.deepEqual(dog.stalled, {});
  pass(25);
  dog.look();
  assert.equal(lines.length, 3, 'the slot that is left counts anew');
});

test('a stage without work, or one that takes a little each time, is none that stalls', () => {
  const { lines, dog, producer, consumer } = setup(20, 1000);
  for (let i = 0; i < 4; i++) {
    pass(25);
    dog.look();
  }
  producer.publish(4);
  for (let i = 0; i < 4; i++) {
    pass(25);
    consumer.release(1);
    dog.look();
  }
  assert.deepEqual(lines, []);
});

test('time in which the watchdog did not run either is not counted', () => {
  const { lines, dog, producer } = setup(20, 2);
  producer.publish(1);
  dog.look();
  pass(50);
  dog.look();
  assert.deepEqual(lines, []);
});
