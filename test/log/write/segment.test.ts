import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { SystemFailure } from '../../../src/base/errors.js';
import { EventBatch } from '../../../src/event/batch.js';
import { END_TAIL_BYTES, parseEndTail } from '../../../src/log/format/end-block.js';
import { BLOCK_HEADER_BYTES, BlockType } from '../../../src/log/format/format.js';
import { hex, type ParsedFrame, parseFrame } from '../../../src/log/format/frame.js';
import { decodeIndex } from '../../../src/log/format/index-block.js';
import { openLog } from '../../../src/log/read/open.js';
import { endOf } from '../../../src/log/read/own-files.js';
import { Segment } from '../../../src/log/write/segment.js';
import { LogFileWriter } from '../../../src/log/write/whole-file.js';
import {
  complaints,
  eventBlock,
  expectedRows,
  faultyFileSystem,
  fillBatch,
  inDirectory,
  meta,
  rowsOf,
} from '../../record/writer/writer-helper.js';

/**
 * Write blocks as the writer does: after a failure cut back and write the group again. Answers the failures.
 */
function writeSegment(fs: LogFileSystem, path: string, blocks: number, groupBlocks: number): number {
  const segment = Segment.begin(fs, realFileSystem.create(path), meta);
  segment.commit();
  let failures = 0;
  for (let first = 1; first <= blocks; first += groupBlocks) {
    for (;;) {
      try {
        for (let sequence = first; sequence < first + groupBlocks; sequence++) {
          const { bytes, filter } = eventBlock(sequence, 3, sequence);
          segment.appendFrame(bytes, 0, filter);
        }
        segment.commit();
        break;
      } catch (error) {
        assert.ok(error instanceof SystemFailure);
        assert.ok(++failures < 1000);
        segment.cutBack();
        assert.equal(statSync(path).size, segment.acknowledged.bytes);
      }
    }
  }
  const closing = segment.planClosing('stop');
  segment.writeClosing(closing);
  segment.close();
  assert.equal(statSync(path).size, closing.fileBytes);
  return failures;
}

test('a segment reads back, is sound, has an index every 256 blocks and an end that is found from the end', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'log');
    writeSegment(realFileSystem, path, 600, 3);
    assert.deepEqual(await complaints(path), []);
    assert.deepEqual(await rowsOf(path), expectedRows(1, 600));
    const bytes = readFileSync(path);
    const endOffset = parseEndTail(bytes.subarray(-END_TAIL_BYTES))!;
    const end = frameAt(bytes, endOffset);
    assert.equal(end.frame.type, BlockType.end);
    assert.equal(end.next, bytes.length);
    assert.equal(endOf(realFileSystem, path)?.lastFile.chain, hex(end.frame.chain));
    const { indexOffsets, ...said } = JSON.parse(bytes.toString('utf8', endOffset + BLOCK_HEADER_BYTES));
    const times = { firstTimeUs: meta.openedUs + 1e6, lastTimeUs: meta.openedUs + 600e6 + 2 };
    const endOffsetHex = endOffset.toString(16).padStart(16, '0');
    assert.deepEqual(said, { reason: 'stop', blocks: 600, records: 1800, ...times, endOffset: endOffsetHex });
    const counts = (indexOffsets as number[]).map((offset) => {
      const { frame, next } = frameAt(bytes, offset);
      assert.equal(frame.type, BlockType.index);
      const entries = decodeIndex(bytes.subarray(offset + BLOCK_HEADER_BYTES, next))!;
      for (const entry of entries) {
        const { frame: data } = frameAt(bytes, entry.offsetBytes);
        assert.deepEqual([data.type, data.sequence, data.count], [BlockType.events, entry.sequence, 3]);
        assert.ok(entry.filter.length > 0);
      }
      assert.equal(frame.sequence, entries.at(-1)!.sequence);
      return entries.length;
    });
    assert.deepEqual(counts, [256, 256, 88]);
  }));

test('writes that fail after any number of bytes leave the same file in the end', () =>
  inDirectory((directory) => {
    const reference = join(directory, 'reference');
    writeSegment(realFileSystem, reference, 270, 3);
    for (const shortBytes of [0, 1, 8, 95, 96, 97, 200]) {
      let calls = 0;
      const fs = faultyFileSystem((operation) => {
        // Not the preamble, header and end: a writer gives a file up that cannot begin, and repeats the end
        // as it is.
        if (operation !== 'write' || ++calls < 3 || calls > 300) return undefined;
        return calls % 4 === 0 ? shortBytes : undefined;
      });
      const path = join(directory, `short-${shortBytes}`);
      assert.ok(writeSegment(fs, path, 270, 3) > 50);
      assert.deepEqual(readFileSync(path), readFileSync(reference));
    }
  }));

test('short writes without an error are continued', () =>
  inDirectory((directory) => {
    const [reference, path] = [join(directory, 'reference'), join(directory, 'slow')];
    writeSegment(realFileSystem, reference, 4, 2);
    const write: LogFileSystem['write'] = (file, bytes, offset, length, position) =>
      realFileSystem.write(file, bytes, offset, Math.min(length, 7), position);
    assert.equal(writeSegment({ ...realFileSystem, write }, path, 4, 2), 0);
    assert.deepEqual(readFileSync(path), readFileSync(reference));
  }));

test('after a failed sync or truncate the descriptor is not trusted, and nothing of the group counts', () =>
  inDirectory((directory) => {
    for (const operation of ['sync', 'truncate'] as const) {
      let failing = false;
      const fs = faultyFileSystem((name) => (failing && name === operation ? 'EIO' : undefined));
      const segment = Segment.begin(fs, realFileSystem.create(join(directory, operation)), meta);
      segment.commit();
      const before = segment.acknowledged;
      segment.appendFrame(eventBlock(1).bytes, 0, new Uint8Array(0));
      failing = true;
      assert.throws(() => (operation === 'sync' ? segment.commit() : segment.cutBack()), SystemFailure);
      assert.equal(segment.trusted, false);
      assert.deepEqual(segment.acknowledged, before);
      failing = false;
      segment.reopen();
      segment.cutBack();
      segment.writeClosing(segment.planClosing('write error'));
      segment.close();
      assert.equal(
        endOf(realFileSystem, join(directory, operation))?.lastFile.acknowledgedBytes,
        statSync(join(directory, operation)).size,
      );
    }
  }));

test('a whole file written in one go: rows, gaps, a squeezed header; an existing file is never touched', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'squeezed');
    const writer = LogFileWriter.create(path, { ...meta, squeezed: true });
    const batch = new EventBatch();
    writer.append(fillBatch(batch, 1, 1000));
    writer.appendGap({ fromUs: 1, toUs: 2, lost: 7, certainty: 'exact', cause: 'test' });
    writer.append(fillBatch(batch, 2, 10));
    const { chain, bytes } = writer.close();
    assert.deepEqual(endOf(realFileSystem, path)?.lastFile, {
      file: 'squeezed',
      acknowledgedBytes: bytes,
      chain,
    });
    assert.deepEqual(await complaints(path), []);
    assert.deepEqual(await rowsOf(path), [...expectedRows(1, 1, 1000), ...expectedRows(2, 2, 10)]);
    const source = await openLog(path);
    const gaps: unknown[] = [];
    for await (const item of source.items()) if (item.type === 'gap') gaps.push(item.gap.lost);
    await source.close();
    assert.deepEqual([source.closed, source.header.squeezed, gaps], [true, true, [7]]);
    const before = readFileSync(path);
    assert.throws(() => LogFileWriter.create(path, meta), { name: 'SystemFailure', code: 'EEXIST' });
    assert.deepEqual(readFileSync(path), before);
  }));

test('a whole file whose beginning cannot be written leaves nothing behind, and what has its name stays', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'new');
    const create = (onWrite: () => void) => () => {
      const write: LogFileSystem['write'] = () => {
        onWrite();
        throw new SystemFailure('write', 'EIO', 'injected');
      };
      LogFileWriter.create(path, meta, { ...realFileSystem, write });
    };
    assert.throws(
      create(() => {}),
      { code: 'EIO' },
    );
    assert.ok(!existsSync(path));
    const replaced = () => {
      unlinkSync(path);
      writeFileSync(path, 'keep me');
    };
    assert.throws(create(replaced), { code: 'EIO' });
    assert.equal(readFileSync(path, 'utf8'), 'keep me');
  }));

function frameAt(bytes: Uint8Array, offset: number): { frame: ParsedFrame; next: number } {
  const frame = parseFrame(bytes, offset);
  assert.ok(typeof frame === 'object', `no block at ${offset}`);
  return { frame, next: offset + frame.headerBytes + frame.storedBytes };
}
