/** Removing for space, on real small file systems: only what helps, also when the inodes are used up. */
import assert from 'node:assert/strict';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { BlockMessage, createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { WriterLoop } from '../../../src/record/writer/writer-loop.js';
import type { WriterEvent, WriterOptions } from '../../../src/record/writer/writer-task.js';
import { blockOf, DAY_US, Days } from './days.js';
import { enterMountNamespace, Mounts, mayMount } from './mounts.js';
import { complaints, Events, eventBlock, options, put, putBlock, START_US } from './writer-helper.js';

process.env.TZ = 'UTC';
enterMountNamespace(import.meta.url);

const skip = mayMount ? false : 'needs root to mount';
const retention = { keepDays: 10_000, trustClock: true, holds: [] };

interface Watch {
  readonly pause?: () => void;
  readonly hear?: (event: WriterEvent) => void;
}

/** A start on day 20, a block, a rotation, a block, a stop. */
async function record(
  at: string,
  more: Partial<WriterOptions>,
  { pause, hear = () => {} }: Watch = {},
): Promise<Events> {
  const events = new Events();
  const emit = (event: WriterEvent): void => {
    events.emit(event);
    hear(event);
  };
  const stats = createStats();
  const all = options(join(at, '%Y%m%d'), more);
  const ring = createBlockRing();
  const [producer, consumer] = [new RingProducer(ring), new RingConsumer(ring)];
  const writer = new LogWriter(all, stats, emit);
  const loop = new WriterLoop(consumer, writer, stats, all, emit, undefined, pause);
  const messages = [
    () => put(producer, BlockMessage.open, START_US + 19 * DAY_US),
    () => putBlock(producer, blockOf(20), 900),
    () => put(producer, BlockMessage.rotate, START_US + 20 * DAY_US),
    () => putBlock(producer, blockOf(21), 900),
    () => put(producer, BlockMessage.stop),
  ];
  for (const message of messages) {
    message();
    await loop.step(consumer.readable());
  }
  return events;
}

/** Days 1 to 6 are there. */
async function archive(at: string): Promise<Days> {
  const days = new Days(at, { keepDays: 10_000 }).record(6, 300);
  await days.retain();
  days.writer.close();
  days.retention.end();
  return days;
}

test('no inode is left: a start and a rotation free one each, the oldest first', { skip }, () =>
  Mounts.with(async (mounts) => {
    const at = mounts.tmpfs('inodes', 'size=8m,nr_inodes=32');
    const days = await archive(at);
    for (let i = 0; statfsSync(at).ffree > 0; i++) writeFileSync(join(at, `stranger-${i}`), '');
    const events = await record(at, { retention });
    assert.ok(!events.logged(/not rotated/).length, events.logged(/./).join('\n'));
    const removed = events.all.flatMap((event) => (event.type === 'removed' ? [event.file] : []));
    assert.deepEqual(
      removed,
      [1, 2, 3].slice(0, removed.length).map((day) => days.path(day)),
    );
    assert.ok(removed.length >= 2);
    assert.deepEqual(await complaints(days.path(20), days.path(21)), []);
  }),
);

test('no inode is left and nothing may go: a start says so, a rotation waits and comes late', { skip }, () =>
  Mounts.with(async (mounts) => {
    const at = mounts.tmpfs('inodes', 'size=8m,nr_inodes=32');
    await archive(at);
    for (let i = 0; statfsSync(at).ffree > 0; i++) writeFileSync(join(at, `stranger-${i}`), '');
    await assert.rejects(record(at, {}), /no inode left, so it can hold no more files/);
    // One for the small file beside the logs, one for the first log.
    for (const name of ['stranger-0', 'stranger-1']) rmSync(join(at, name));
    const events = await record(at, {});
    assert.equal(events.logged(/not rotated to .*no inode left.*; recording continues in/).length, 1);
  }),
);

/** Ends a recording that waits for room. */
class Enough extends Error {}

function patience(times: number): () => void {
  let left = times;
  return () => {
    if (left-- === 0) throw new Enough();
  };
}

test('--min-free of more than the disk has: nothing is removed, and why is said once', { skip }, () =>
  Mounts.with(async (mounts) => {
    const at = mounts.tmpfs('small', 'size=8m');
    const days = await archive(at);
    const said: string[] = [];
    const hear = (event: WriterEvent): void => {
      if (event.type === 'log') said.push(event.message);
    };
    const more = { retention, minFreeBytes: 100 * 2 ** 20 };
    await assert.rejects(record(at, more, { pause: patience(5), hear }), Enough);
    assert.deepEqual(days.left.slice(0, 6), [1, 2, 3, 4, 5, 6]);
    const why = said.filter((line) =>
      /nothing is removed: .* that may go have \d+, and \d+ are needed/.test(line),
    );
    assert.equal(why.length, 1, said.join('\n'));
  }),
);

test('somebody who fills what was made does not have the archive removed file by file', { skip }, () =>
  Mounts.with(async (mounts) => {
    const at = mounts.tmpfs('small', 'size=8m');
    const days = new Days(at, { keepDays: 10_000 });
    for (let day = 1; day <= 4; day++) {
      days.record(1);
      for (let block = 0; days.writer.liveBytes < 400_000; block++) {
        const { bytes, filter } = eventBlock(blockOf(day) + block, 4000);
        days.writer.append(bytes, 0, filter);
        days.writer.commit();
      }
    }
    await days.retain();
    days.writer.close();
    days.retention.end();
    let ballasts = 0;
    const stuff = (): void => {
      const bytes = statfsSync(at).bavail * statfsSync(at).bsize;
      if (bytes > 0) writeFileSync(join(at, `ballast-${ballasts++}`), new Uint8Array(bytes));
    };
    const said: string[] = [];
    let removed = 0;
    // As soon as something is free, it is taken.
    const hear = (event: WriterEvent): void => {
      if (event.type === 'log') said.push(event.message);
      if (event.type === 'opened') stuff();
      if (event.type !== 'removed') return;
      removed++;
      stuff();
    };
    await assert.rejects(record(at, { retention }, { pause: patience(5), hear }), Enough);
    assert.equal(said.filter((line) => /somebody else filled \d+ of the \d+ bytes/.test(line)).length, 1);
    assert.equal(removed, 1);
  }),
);
