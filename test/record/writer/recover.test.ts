import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { END_TAIL_BYTES, type EndRecord, parseEndTail } from '../../../src/log/format/end-block.js';
import { BLOCK_HEADER_BYTES, BLOCK_MARKER, BlockField, BlockType } from '../../../src/log/format/format.js';
import { decodeIndex } from '../../../src/log/format/index-block.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { endWithUs } from '../../lab/cleanup.js';
import { leaveBehind, recover, write } from './left-behind.js';
import {
  complaints,
  Events,
  eventBlock,
  expectedRows,
  faultyFileSystem,
  gapsOf,
  inDirectory,
  killable,
  metaOf,
  namesIn,
  options,
  rowsOf,
  START_US,
} from './writer-helper.js';

process.env.TZ = 'UTC';

test('a file left behind is closed, renamed, and the next file goes on from it', () =>
  inDirectory(async (directory) => {
    const template = join(directory, '%Y/%H%M');
    leaveBehind(template, 1, 300);
    const events = new Events();
    const previous = await recover(template, events);
    const first = join(directory, '2026/2115');
    assert.deepEqual(namesIn(directory), ['2026/2115']);
    assert.equal(events.logged(/left behind; recovered as .*2115, 900 records in 300 blocks$/).length, 1);
    const bytes = readFileSync(first);
    assert.match(bytes.toString('latin1'), /"reason":"unclean end"/);
    const { indexOffsets } = JSON.parse(
      bytes.toString('utf8', endOffsetOf(bytes) + BLOCK_HEADER_BYTES),
    ) as EndRecord;
    const entries = decodeIndex(payloadAt(bytes, indexOffsets![1]))!;
    assert.deepEqual(
      entries.map(({ sequence }) => sequence),
      Array.from({ length: 45 }, (_, i) => 257 + i),
    );
    // The last one is the gap: what was in memory is lost.
    assert.equal(entries.pop()!.type, BlockType.gap);
    for (const { filter, sequence } of entries)
      assert.deepEqual(new Uint8Array(filter), new Uint8Array(eventBlock(sequence).filter));
    assert.deepEqual(
      [previous?.lastFile?.file, previous?.lastFile?.acknowledgedBytes],
      ['2115', statSync(first).size],
    );
    const writer = new LogWriter(options(template), createStats(), () => {});
    writer.open(START_US + 60e6, previous);
    write(writer, 301, 302);
    writer.close();
    const files = [first, join(directory, '2026/2116')];
    assert.deepEqual(await complaints(...files), []);
    assert.deepEqual(await rowsOf(...files), expectedRows(1, 302));
    // A proper stop does not end the chain either.
    assert.equal((await recover(template))?.lastFile?.file, '2116');
  }));

test('what nobody saw is a gap: after a death in the old file, until the start in the new one', (t) =>
  inDirectory(async (directory) => {
    const template = join(directory, '%H%M');
    leaveBehind(template, 1, 2);
    const diedBeforeUs = START_US + 50e6;
    t.mock.method(Date, 'now', () => diedBeforeUs / 1000);
    const earlier = await recover(template);
    const lastEventUs = START_US + 2e6 + 2;
    const died = {
      fromUs: lastEventUs,
      toUs: diedBeforeUs,
      lost: 0,
      certainty: 'unknown',
      cause: 'recorder died',
    };
    assert.deepEqual(await gapsOf(join(directory, '2115')), [died]);

    const stoppedUs = START_US + 90e6;
    const writer = new LogWriter(options(template), createStats(), () => {});
    writer.open(START_US + 60e6, earlier);
    write(writer, 3, 4);
    t.mock.method(Date, 'now', () => stoppedUs / 1000);
    writer.close();
    const absent = { lost: 0, certainty: 'unknown', cause: 'recorder not running' };
    const second = join(directory, '2116');
    assert.deepEqual(await gapsOf(second), [{ fromUs: lastEventUs, toUs: START_US + 60e6, ...absent }]);
    assert.deepEqual(await rowsOf(second), expectedRows(3, 4));

    // A stop says when it was: up to then everything has been seen.
    const again = await recover(template);
    assert.equal(again?.seenUntilUs, stoppedUs);
    const replayed = new LogWriter(options(template, { live: false }), createStats(), () => {});
    replayed.open(START_US + 120e6, again);
    replayed.close();
    assert.deepEqual(await gapsOf(join(directory, '2117')), [], 'a replay misses nothing between its files');
    assert.deepEqual(await complaints(...['2115', '2116', '2117'].map((name) => join(directory, name))), []);
  }));

test('a torn tail is kept aside, whatever it is; the file ends behind its last whole block', () =>
  inDirectory(async (directory) => {
    const template = join(directory, 'log');
    const live = leaveBehind(template, 1, 4);
    const whole = readFileSync(live);
    // Cut within the header and the payload of the last block, and behind it.
    const last = whole.lastIndexOf(BLOCK_MARKER);
    const cuts = [last + 1, last + 50, last + 95, last + 97, whole.length - 1, whole.length];
    for (const [i, cut] of cuts.entries()) {
      const isTorn = cut < whole.length;
      // The template stands in the header: the file must be recovered where it was made.
      writeFileSync(live, whole.subarray(0, cut));
      if (i % 2 === 0 && isTorn) appendFileSync(live, new Uint8Array(4096)); // what a power loss leaves
      const torn = readFileSync(live).subarray(isTorn ? last : whole.length);
      await recover(template);
      const path = join(directory, numberedName(directory, 'log'));
      assert.deepEqual(await rowsOf(path), expectedRows(1, isTorn ? 3 : 4), `cut at ${cut}`);
      assert.deepEqual(await complaints(path), []);
      const asides = namesIn(directory).filter((name) =>
        /^log\.(\d+\.)?torn$|^log\.\d+\.(\d+\.)?torn$/.test(name),
      );
      assert.equal(asides.length, i + (isTorn ? 1 : 0), 'every tail is kept, none overwritten');
      if (isTorn)
        assert.deepEqual(readFileSync(join(directory, i === 0 ? 'log.torn' : `log.${i}.torn`)), torn);
    }
  }));

function endOffsetOf(bytes: Uint8Array): number {
  return parseEndTail(bytes.subarray(-END_TAIL_BYTES))!;
}

function payloadAt(bytes: Buffer, offset: number): Uint8Array {
  const from = offset + BLOCK_HEADER_BYTES;
  return bytes.subarray(from, from + bytes.readUInt32LE(offset + BlockField.storedBytes));
}

/** The last of NAME, NAME.1, NAME.2, ... */
function numberedName(directory: string, name: string): string {
  const count = namesIn(directory).filter((other) => /^log(\.\d+)?$/.test(other)).length;
  return count === 1 ? name : `${name}.${count - 1}`;
}

test('damage in the middle costs its block only: whole blocks behind it stay', () =>
  inDirectory(async (directory) => {
    const template = join(directory, 'log');
    const live = leaveBehind(template, 1, 4);
    const bytes = readFileSync(live);
    const second = bytes.indexOf(
      BLOCK_MARKER,
      bytes.indexOf(BLOCK_MARKER, bytes.indexOf(BLOCK_MARKER) + 1) + 1,
    );
    bytes[second + 100] ^= 0xff;
    writeFileSync(live, bytes);
    await recover(template);
    assert.deepEqual(namesIn(directory), ['log']);
    const lines = await complaints(join(directory, 'log'));
    assert.match(lines.join('\n'), /still readable: .* 9 records .* closed \(unclean end\)/);
  }));

test('what lies behind the offset that a later file names is not recovered as records', () =>
  inDirectory(async (directory) => {
    const template = join(directory, '%H%M');
    let failing = false;
    // fdatasync fails, and the given up file cannot be opened again: it stays live.
    const faulty = faultyFileSystem((operation, path) =>
      failing && (operation === 'sync' || operation === 'open') && path.endsWith('2115.part')
        ? 'EIO'
        : undefined,
    );
    const { fs, kill } = killable(faulty);
    const writer = new LogWriter(options(template), createStats(), () => {}, fs);
    writer.open(START_US);
    write(writer, 1, 2);
    failing = true;
    assert.throws(() => write(writer, 3, 4), { code: 'EIO' });
    writer.restore();
    write(writer, 3, 5);
    kill();
    const [first, second] = ['2115', '2115.1'].map((name) => join(directory, name));
    assert.ok(statSync(`${first}.part`).size > metaOf(`${second}.part`).previous!.acknowledgedBytes);
    const previous = await recover(template);
    assert.deepEqual(await rowsOf(first, second), expectedRows(1, 5), 'nothing twice');
    assert.deepEqual(await complaints(first), []);
    assert.equal(previous?.lastFile?.file, '2115.1');
  }));

test('killed between the two ends of a rotation: the old file gets the end that the new one names', () =>
  inDirectory(async (directory) => {
    const template = join(directory, '%H%M');
    for (const partBytes of [0, 10, 150]) {
      const place = join(directory, String(partBytes));
      const placed = template.replace(directory, place);
      let ending = false;
      const write2115: LogFileSystem['write'] = (file, bytes, offset, length, position) => {
        if (!ending || !file.path.endsWith('2115.part'))
          return realFileSystem.write(file, bytes, offset, length, position);
        if (partBytes > 0) realFileSystem.write(file, bytes, offset, Math.min(length, partBytes), position);
        throw new Error('killed');
      };
      const { fs, kill } = killable({ ...realFileSystem, write: write2115 });
      const writer = new LogWriter(options(placed), createStats(), () => {}, fs);
      writer.open(START_US);
      write(writer, 1, 3);
      ending = true;
      assert.throws(() => writer.rotate(START_US + 60e6), /killed/);
      kill();
      await recover(placed);
      const files = ['2115', '2116'].map((name) => join(place, name));
      assert.match(readFileSync(files[0], 'latin1'), /"reason":"rotation"/);
      assert.deepEqual(await complaints(...files), [], `with ${partBytes} bytes of the end`);
      assert.deepEqual(await rowsOf(...files), expectedRows(1, 3));
    }
  }));

test('killed at any moment: everything that was said to be durable is there, once, and the chain holds', () =>
  inDirectory(async (directory) => {
    for (let run = 0; run < 3; run++) {
      const place = join(directory, String(run));
      const template = join(place, '%H%M');
      const script = fileURLToPath(new URL('writer-process.js', import.meta.url));
      const child: ChildProcess = spawn(process.execPath, [script, template], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      endWithUs(child);
      let said = '';
      child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.split('\n').length > 250 + 37 * run) child.kill('SIGKILL');
      });
      try {
        await once(child, 'close');
      } finally {
        child.kill('SIGKILL');
      }
      const durable = Number(said.trim().split('\n').at(-1));
      assert.ok(durable >= 600, 'it rotated');
      await recover(template);
      const files = namesIn(place).filter((name) => !name.includes('.torn'));
      assert.ok(files.every((name) => !name.endsWith('.part')));
      const paths = files.map((name) => join(place, name));
      assert.deepEqual(await complaints(...paths), []);
      const rows = await rowsOf(...paths);
      const blocks = rows.length / 200;
      assert.ok(blocks >= durable, `${blocks} blocks of ${durable} that were durable`);
      assert.deepEqual(rows, expectedRows(1, blocks, 200));
    }
  }));
