import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  lstatSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { END_TAIL_BYTES, type EndRecord, parseEndTail } from '../../../src/log/format/end-block.js';
import { BLOCK_HEADER_BYTES, BLOCK_MARKER, BlockField, BlockType } from '../../../src/log/format/format.js';
import { filePreamble } from '../../../src/log/format/frame.js';
import { decodeIndex, INDEX_EVERY_BLOCKS } from '../../../src/log/format/index-block.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { endWithUs } from '../../lab/cleanup.js';
import {
  complaints,
  Events,
  eventBlock,
  expectedRows,
  faultyFileSystem,
  gapsOf,
  inDirectory,
  intactRowsOf,
  killable,
  metaOf,
  namesIn,
  options,
  recoverFiles,
  rowsOf,
  START_US,
} from './writer-helper.js';

process.env.TZ = 'UTC';
const skip = process.platform === 'win32' ? 'no pipes among files there' : false;

function recover(template: string, events = new Events(), protocols: readonly number[] = [6]) {
  return recoverFiles(template, protocols, realFileSystem, events.emit);
}

/** Leave a live file with blocks as a killed recorder does: not closed, not locked. */
function leaveBehind(
  template: string,
  from: number,
  to: number,
  timeUs = START_US,
  identity = 'test',
): string {
  const { fs, kill } = killable();
  const writer = new LogWriter(options(template, { identity }), createStats(), () => {}, fs);
  writer.open(timeUs);
  write(writer, from, to);
  kill();
  return writer.path;
}

function write(writer: LogWriter, from: number, to: number): void {
  for (let sequence = from; sequence <= to; sequence++) {
    const { bytes, filter } = eventBlock(sequence);
    writer.append(bytes, 0, filter);
  }
  writer.commit();
}

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

test('locked files, files of other recorders and files that are no logs are left alone', () =>
  inDirectory(async (directory) => {
    const template = join(directory, '%H%M');
    const running = new LogWriter(options(template), createStats(), () => {});
    running.open(START_US);
    write(running, 1, 1);
    leaveBehind(join(directory, '21%M'), 1, 1, START_US + 60e6, 'another');
    const udp = join(directory, '2117.part');
    copyFileSync(leaveBehind(template, 1, 1, START_US + 180e6), udp);
    writeFileSync(udp, Buffer.from(readFileSync(udp)).fill(0, 0, 8));
    const before = namesIn(directory).filter((name) => name !== '2118.part');
    const contents = before.map((name) => readFileSync(join(directory, name)));
    const events = new Events();
    await recover(template, events, [17]);
    assert.deepEqual(
      events
        .logged(/./)
        .map((line) => /2117\.part: was left behind, and its header cannot be read/.test(line)),
      [true],
      'other protocols, another recorder; nobody knows whose that one is',
    );
    await recover(template, events);
    assert.equal(events.logged(/: was left behind; recovered as /).length, 1);
    assert.deepEqual(namesIn(directory), [...before, '2118']);
    assert.deepEqual(
      before.map((name) => readFileSync(join(directory, name))),
      contents,
    );
    running.close();
    assert.deepEqual(await complaints(join(directory, '2115')), []);
  }));

test('a file that was made and not begun is removed, unless somebody has it locked or it is something else', () =>
  inDirectory(async (directory) => {
    const template = join(directory, 'log-%M');
    const preamble = filePreamble();
    writeFileSync(join(directory, 'log-01.part'), '');
    writeFileSync(join(directory, 'log-02.part'), preamble);
    writeFileSync(join(directory, 'log-03.part'), 'not ours');
    writeFileSync(join(directory, 'log-04.part'), Buffer.concat([preamble, Buffer.of(1)]));
    writeFileSync(join(directory, 'other.part'), '');
    const locked = realFileSystem.create(join(directory, 'log-05.part'));
    assert.ok(realFileSystem.lock(locked));
    const events = new Events();
    await recover(template, events);
    realFileSystem.close(locked);
    assert.deepEqual(namesIn(directory), ['log-03.part', 'log-04.part', 'log-05.part', 'other.part']);
    assert.equal(events.logged(/: was left behind empty; removed$/).length, 2);
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

test('a recovery that fails leaves the file as it is and does not keep anybody from recording', () =>
  inDirectory(async (directory) => {
    const template = join(directory, 'log');
    const live = leaveBehind(template, 1, 2);
    truncateSync(live, statSync(live).size - 3);
    const before = readFileSync(live);
    for (const operation of ['open', 'create', 'lock'] as const) {
      const events = new Events();
      const fs = faultyFileSystem((name) => (name === operation ? 'EIO' : undefined));
      const earlier = await recoverFiles(template, [6], fs, events.emit);
      const isRead = operation === 'create';
      assert.equal(earlier?.lastFile?.file, isRead ? 'log' : undefined, 'what is durable can be continued');
      const told = isRead ? /left behind and cannot be closed now/ : /left behind and not recovered/;
      assert.equal(events.logged(told).length, 1);
      assert.deepEqual(readFileSync(live), before);
    }
    for (const operation of ['truncate', 'write', 'sync', 'rename', 'syncDirectory'] as const) {
      const fs = faultyFileSystem((name) => (name === operation ? 'EIO' : undefined));
      await recoverFiles(template, [6], fs);
    }
    await recover(template);
    assert.deepEqual(await rowsOf(join(directory, 'log')), expectedRows(1, 1));
    assert.deepEqual(await complaints(join(directory, 'log')), []);
  }));

test('a file that is made of blocks without an index takes no memory: it is said, left as it is, and recording starts', () =>
  inDirectory(async (directory) => {
    const template = join(directory, '%H%M');
    const live = leaveBehind(template, 1, 1);
    const bytes = readFileSync(live);
    const block = bytes.subarray(bytes.lastIndexOf(BLOCK_MARKER));
    writeFileSync(live, Buffer.concat([bytes, ...new Array<Buffer>(8 * INDEX_EVERY_BLOCKS).fill(block)]));
    const before = readFileSync(live);
    const events = new Events();
    assert.equal(await recover(template, events), undefined);
    assert.equal(events.all.length, 1);
    assert.equal(
      events.logged(/not recovered: more than 2048 blocks in a row without an index; "ctrecorder repair"/)
        .length,
      1,
    );
    assert.deepEqual(namesIn(directory), ['2115.part']);
    assert.deepEqual(readFileSync(live), before);
    // One fewer is as many as a recorder's own file can have, whatever is damaged in it.
    truncateSync(live, before.length - block.length);
    await recover(template);
    assert.deepEqual(namesIn(directory), ['2115']);
    assert.deepEqual(await intactRowsOf([join(directory, '2115')]), expectedRows(1, 1));
  }));

test(
  'a file that is renamed while it is being locked is not touched, nor is what has its name by then',
  { skip },
  () =>
    inDirectory(async (directory) => {
      const template = join(directory, 'log');
      const live = leaveBehind(template, 1, 2);
      const before = readFileSync(live);
      const moved = join(directory, 'moved');
      const lock: LogFileSystem['lock'] = (file) => {
        const isLocked = realFileSystem.lock(file);
        renameSync(live, moved);
        execFileSync('mkfifo', [live]); // whoever opened it would wait for ever
        return isLocked;
      };
      await recoverFiles(template, [6], { ...realFileSystem, lock });
      assert.deepEqual(readFileSync(moved), before);
      assert.ok(lstatSync(live).isFIFO());
    }),
);

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
