import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { DamageError, SystemFailure } from '../../../src/base/errors.js';
import { BLOCK_MARKER } from '../../../src/log/format/format.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogFollower, type RecordedFile } from '../../../src/record/table/follow.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import type { WriterEvent } from '../../../src/record/writer/writer-task.js';
import {
  eventBlock,
  faultyFileSystem,
  inDirectory,
  metaOf,
  options,
  START_US,
} from '../writer/writer-helper.js';

process.env.TZ = 'UTC';
const MINUTE_US = 60e6;

/** A writer and a follower of its files; what the writer says waits until it is told to. */
class Recording {
  readonly taken: number[] = [];
  /** Blocks taken before each file that was entered. */
  readonly entered: number[][] = [];
  newest: RecordedFile | undefined;
  readonly follower = new LogFollower({
    // The client's address says which block it is.
    take: (rows) => this.taken.push(rows.keys[0] - 0x0a000000),
    enter: (file) => {
      this.entered.push([...this.taken]);
      this.newest = file;
    },
  });
  readonly stats = createStats();
  readonly writer: LogWriter;
  readonly #events: WriterEvent[] = [];

  constructor(directory: string, fs = realFileSystem) {
    const emit = (event: WriterEvent) => this.#events.push(event);
    this.writer = new LogWriter(options(join(directory, '%H%M')), this.stats, emit, fs);
    this.writer.open(START_US);
  }

  get durable(): number {
    return this.stats[WriterStat.durableSequence];
  }

  /** The follower learns of the files opened so far. */
  tell(): void {
    for (const event of this.#events.splice(0))
      if (event.type === 'opened') {
        const { file: path, openedUs, afterSequence } = event;
        this.follower.addFile({ path, openedUs, afterSequence });
      }
  }

  /** Write these blocks, in one durable group, after failures again. */
  write(from: number, to = from): void {
    const blocks = Array.from({ length: to - from + 1 }, (_, i) => eventBlock(from + i));
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        this.writer.restore();
        for (const { bytes, filter } of blocks) this.writer.append(bytes, 0, filter);
        this.writer.commit();
        return;
      } catch (error) {
        if (!(error instanceof SystemFailure)) throw error;
      }
    }
    assert.fail('it never worked again');
  }

  rotate(minutes: number): void {
    this.writer.rotate(START_US + minutes * MINUTE_US);
  }

  close(): void {
    this.writer.close();
    this.follower.close();
  }
}

/** A recording whose first file the follower knows. */
function recorded(use: (recording: Recording) => Promise<void>): Promise<void> {
  return inDirectory(async (directory) => {
    const recording = new Recording(directory);
    recording.tell();
    await use(recording);
    recording.close();
  });
}

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

test('each block is taken once, as far as it is asked for, also from a file that goes on growing', () =>
  recorded(async (recording) => {
    recording.write(1, 3);
    await recording.follower.advance(2);
    assert.deepEqual(recording.taken, [1, 2]);
    recording.write(4);
    for (let again = 0; again < 2; again++) await recording.follower.advance(4);
    assert.deepEqual(recording.taken, upTo(4));
    assert.deepEqual(recording.entered, [], 'the first file is where it begins');
  }));

test('across rotations; only the newest file is entered, and exactly what stands before it has been taken then', () =>
  recorded(async (recording) => {
    recording.write(1, 2);
    recording.rotate(1);
    recording.write(3);
    recording.tell();
    await recording.follower.advance(3);
    assert.deepEqual(recording.entered, [upTo(2)]);
    // While it is behind: three more, one of them without a block, closed and renamed before it hears of
    // them.
    for (const minutes of [2, 3, 4]) {
      recording.rotate(minutes);
      if (minutes !== 3) recording.write(minutes === 2 ? 4 : 5);
    }
    recording.tell();
    await recording.follower.enterNewest();
    assert.deepEqual(recording.entered, [upTo(2), upTo(4)]);
    await recording.follower.enterNewest();
    assert.equal(recording.entered.length, 2, 'once');
    await recording.follower.advance(5);
    assert.deepEqual(recording.taken, upTo(5));
  }));

test('a mark in the next file leads there, and enters it on the way', () =>
  recorded(async (recording) => {
    recording.write(1, 2);
    recording.rotate(1);
    recording.write(3, 4);
    recording.tell();
    await recording.follower.advance(2);
    assert.deepEqual(recording.entered, []);
    await recording.follower.advance(3);
    assert.deepEqual(recording.entered, [upTo(2)]);
    assert.deepEqual(recording.taken, upTo(3));
  }));

test('what is durable in a file that it has not heard of yet is left for later, and is no damage', () =>
  recorded(async (recording) => {
    recording.write(1, 2);
    recording.rotate(1);
    recording.write(3);
    await recording.follower.follow(recording.durable);
    assert.deepEqual(recording.taken, upTo(2));
    recording.tell();
    recording.rotate(2);
    recording.write(4);
    await recording.follower.follow(recording.durable);
    assert.deepEqual(recording.taken, upTo(3));
    assert.deepEqual(recording.entered, [upTo(2)]);
    recording.tell();
    await recording.follower.follow(recording.durable);
    assert.deepEqual(recording.taken, upTo(4));
  }));

test('a follower that comes late begins where its file begins', () =>
  inDirectory(async (directory) => {
    const recording = new Recording(directory);
    recording.write(1, 2);
    recording.rotate(1);
    recording.write(3, 4);
    const taken: number[] = [];
    const late = new LogFollower({
      take: (rows) => taken.push(rows.keys[0] - 0x0a000000),
      enter: () => assert.fail('the first file is not entered'),
    });
    const path = `${join(directory, '2116')}.part`;
    late.addFile({ path, openedUs: START_US + MINUTE_US, afterSequence: 2 });
    await late.advance(4);
    assert.deepEqual(taken, [3, 4]);
    late.close();
    recording.close();
  }));

test('after a write error the blocks of the given up file that stand again in the next are taken once', () =>
  inDirectory(async (directory) => {
    let failures = 0;
    const fs = faultyFileSystem((operation) => (operation === 'sync' && failures-- > 0 ? 'EIO' : undefined));
    const recording = new Recording(directory, fs);
    recording.tell();
    recording.write(1, 2);
    await recording.follower.advance(1);
    failures = 1;
    recording.write(3, 4);
    recording.tell();
    recording.write(5);
    await recording.follower.advance(5);
    assert.deepEqual(recording.taken, upTo(5));
    assert.deepEqual(recording.entered, [upTo(2)], 'nothing that the new file holds itself');
    // It has the name of the other, but was opened later.
    const { path, openedUs } = recording.newest!;
    assert.equal(metaOf(path).openedUs, openedUs);
    assert.ok(openedUs > START_US);
    recording.close();
  }));

for (const [what, offsetInBlock] of Object.entries({ 'a damaged payload': 100, 'a damaged header': 20 }))
  test(`${what} ends in an error that names the file and the place`, () =>
    inDirectory(async (directory) => {
      const recording = new Recording(directory);
      recording.tell();
      recording.write(1, 3);
      const path = `${join(directory, '2115')}.part`;
      const bytes = readFileSync(path);
      // Blocks: header, 1, 2, 3.
      let at = -1;
      for (let block = 0; block < 3; block++) at = bytes.indexOf(BLOCK_MARKER, at + 1);
      bytes[at + offsetInBlock] ^= 1;
      writeFileSync(path, bytes, { flag: 'r+' });
      await assert.rejects(recording.follower.advance(3), (error) => {
        assert.ok(error instanceof DamageError);
        assert.equal(error.code, 'bad-sequence');
        assert.equal(error.file, path);
        assert.match(error.message, /^\S+2115\.part: offset \d+: block 2 is missing$/);
        return true;
      });
      assert.deepEqual(recording.taken, [1]);
      recording.close();
    }));

test('a block that is in no file is missing', () =>
  recorded(async (recording) => {
    recording.write(1);
    await assert.rejects(recording.follower.advance(2), DamageError);
  }));

test('a file that is gone under both names is an error', () =>
  inDirectory(async (directory) => {
    const follower = new LogFollower({ take: () => {}, enter: () => {} });
    const path = join(directory, 'gone.part');
    assert.throws(() => follower.addFile({ path, openedUs: 0, afterSequence: 0 }), { code: 'ENOENT' });
  }));
