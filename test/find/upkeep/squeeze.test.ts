import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SystemFailure, UsageError } from '../../../src/base/errors.js';
import { EventBatch, RecordKind } from '../../../src/event/batch.js';
import { squeeze } from '../../../src/find/upkeep/squeeze.js';
import { BlockType } from '../../../src/log/format/format.js';
import { openLog } from '../../../src/log/read/open.js';
import { LogFileWriter } from '../../../src/log/write/whole-file.js';
import { temporaryDirectory } from '../../lab/folder.js';
import { complaints, fillBatch, meta, START_US } from '../../record/writer/writer-helper.js';
import { fixture, listText, useZone } from '../helpers.js';

const EVENTS = fixture('legacy-tcp.ct');
const isOneLine = (error: unknown) =>
  (error instanceof SystemFailure || error instanceof UsageError) && !error.message.includes('\n');

test('replaces an old file by format 3 with the same connections, the open ones too', async (t) => {
  useZone(t, 'UTC');
  const directory = temporaryDirectory(t);
  const file = join(directory, 'a.ct');
  copyFileSync(EVENTS, file);
  chmodSync(file, 0o640);
  const before = await listText(file, { squeeze: true });
  const result = await squeeze({ file });
  assert.deepEqual(
    { ...result, bytesAfter: 0 },
    {
      file,
      alreadySqueezed: false,
      connections: 8,
      open: 3,
      startUnseen: 0,
      bytesBefore: 685,
      bytesAfter: 0,
      damage: [],
      exitCode: 0,
    },
  );
  assert.equal(result.bytesAfter, statSync(file).size);
  const after = await listText(file);
  assert.match(after.stderr, /^\.version: 3\./m);
  assert.match(after.stderr, /^\.hostname: vm$/m);
  assert.equal(after.stdout, before.stdout);
  assert.equal((await listText(file, { squeeze: true })).stdout, before.stdout);
  assert.equal(statSync(file).mode & 0o777, 0o640);
  assert.deepEqual(readdirSync(directory), ['a.ct']);
});

test('-o leaves the input alone; a squeezed old file becomes format 3', async (t) => {
  useZone(t, 'UTC');
  const directory = temporaryDirectory(t);
  const output = join(directory, 'out.ct');
  const input = readFileSync(fixture('legacy-tcp-squeezed.ct'));
  const result = await squeeze({ file: fixture('legacy-tcp-squeezed.ct'), output });
  assert.equal(result.file, output);
  assert.deepEqual(readFileSync(fixture('legacy-tcp-squeezed.ct')), input);
  assert.equal(
    (await listText(output)).stdout,
    readFileSync(fixture('legacy-tcp-squeezed.list.utc.txt'), 'utf8'),
  );
  assert.deepEqual(readdirSync(directory), ['out.ct']);
});

test('a squeezed file of format 3 is left as it is', async (t) => {
  const file = join(temporaryDirectory(t), 'a.ct');
  copyFileSync(EVENTS, file);
  await squeeze({ file });
  const bytes = readFileSync(file);
  const { ino, mtimeMs } = statSync(file);
  const again = await squeeze({ file });
  assert.deepEqual([again.alreadySqueezed, again.exitCode], [true, 0]);
  assert.deepEqual(readFileSync(file), bytes);
  assert.deepEqual([statSync(file).ino, statSync(file).mtimeMs], [ino, mtimeMs]);
});

test('with -o a squeezed file is written once more', async (t) => {
  useZone(t, 'UTC');
  const directory = temporaryDirectory(t);
  const [file, output] = [join(directory, 'a.ct'), join(directory, 'b.ct')];
  copyFileSync(EVENTS, file);
  await squeeze({ file });
  const result = await squeeze({ file, output });
  assert.deepEqual([result.file, result.alreadySqueezed, result.connections], [output, false, 8]);
  assert.equal((await listText(output)).stdout, (await listText(file)).stdout);
});

test('refuses an existing output, the file itself under any name, a live file, and a pipe without output', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'a.ct');
  copyFileSync(EVENTS, file);
  const taken = join(directory, 'taken.ct');
  writeFileSync(taken, 'precious');
  const alias = join(directory, 'alias.ct');
  symlinkSync(file, alias);
  const live = join(directory, 'live.ct');
  copyFileSync(EVENTS, `${live}.part`);
  for (const options of [
    { file, output: taken },
    { file, output: file },
    { file, output: alias },
    { file, output: `${directory}/./a.ct` },
    { file: live },
    { file: `${live}.part`, output: join(directory, 'new.ct') },
    { file: '-' },
    { file: join(directory, 'none.ct') },
    { file: directory },
    { file, output: join(directory, 'no', 'such.ct') },
  ])
    await assert.rejects(squeeze(options), isOneLine, JSON.stringify(options));
  assert.deepEqual(readFileSync(file), readFileSync(EVENTS));
  assert.equal(readFileSync(taken, 'utf8'), 'precious');
  assert.deepEqual(readdirSync(directory).sort(), ['a.ct', 'alias.ct', 'live.ct.part', 'taken.ct']);
});

test('a locked file is refused', { skip: process.platform !== 'linux' }, async (t) => {
  const file = join(temporaryDirectory(t), 'a.ct');
  copyFileSync(EVENTS, file);
  const holder = spawn('flock', ['-x', file, 'sh', '-c', 'echo locked; read line'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => holder.stdin.end());
  await once(holder.stdout, 'data');
  await assert.rejects(squeeze({ file }), isOneLine);
  holder.stdin.end();
  await once(holder, 'exit');
  assert.equal((await squeeze({ file })).connections, 8);
});

test('a damaged file is not replaced; with -o what is intact is written', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'a.ct');
  const bytes = Buffer.concat([
    readFileSync(EVENTS).subarray(0, 256 + 33 * 5 + 9),
    readFileSync(EVENTS).subarray(256 + 33 * 6),
  ]);
  writeFileSync(file, bytes);
  const result = await squeeze({ file });
  assert.equal(result.exitCode, 1);
  assert.equal(result.damage.length, 1);
  assert.deepEqual(readFileSync(file), bytes);
  const output = join(directory, 'out.ct');
  const kept = await squeeze({ file, output });
  assert.deepEqual([kept.exitCode, kept.connections, kept.startUnseen], [1, 8, 1]);
  assert.equal((await listText(output)).result.gaps, 1);
  assert.deepEqual(readdirSync(directory).sort(), ['a.ct', 'out.ct']);
});

test('what is no event is kept at its place: gaps, clock steps, checkpoints; rows of the table become connections', async (t) => {
  const directory = temporaryDirectory(t);
  const [file, output] = [join(directory, 'a.ct'), join(directory, 'b.ct')];
  const writer = LogFileWriter.create(file, meta);
  const batch = new EventBatch(3);
  fillBatch(batch, 0, 3).kind.fill(RecordKind.snapshot);
  batch.timeUs.fill(START_US);
  writer.append(batch);
  const notes = [
    { snapshot: { entries: 3, atUs: START_US } },
    { reliable: true, atUs: START_US + 1, entries: 3, entriesMax: 100 },
    { retention: { atUs: START_US + 2, removed: [] } },
    { 'of a later version': 1 },
  ];
  for (const [i, note] of notes.entries())
    writer.appendJson(note, BlockType.checkpoint, START_US, START_US + i);
  writer.append(fillBatch(batch, 1, 3));
  const step = { atUs: START_US + 2e6, stepUs: 3e6 };
  writer.appendJson(step, BlockType.clockStep, step.atUs - step.stepUs, step.atUs);
  fillBatch(batch, 1, 3).kind.fill(RecordKind.end);
  writer.append(batch);
  const gap = {
    fromUs: START_US + 3e6,
    toUs: START_US + 4e6,
    lost: 7,
    certainty: 'exact',
    cause: 'x',
  } as const;
  writer.appendGap(gap);
  writer.close();

  const kept = [
    ...notes
      .slice(1)
      .map((value, i) => ({ type: 'checkpoint', value, fromUs: START_US, toUs: START_US + i + 1 })),
    { type: 'clock-step', ...step },
    '3 connections',
    { type: 'gap', gap },
    '3 connections',
  ];
  await squeeze({ file, output });
  assert.deepEqual(await itemsOf(output), kept);
  // And once more, of the squeezed one.
  const again = join(directory, 'c.ct');
  await squeeze({ file: output, output: again });
  assert.deepEqual(await itemsOf(again), kept);
  assert.deepEqual([...(await complaints(output)), ...(await complaints(again))], []);
});

async function itemsOf(file: string): Promise<unknown[]> {
  const items: unknown[] = [];
  const source = await openLog(file);
  for await (const item of source.items())
    items.push(item.type === 'records' ? `${item.batch.count} connections` : item);
  await source.close();
  return items;
}

test('a symbolic link stays one: the file behind it is replaced', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'a.ct');
  copyFileSync(EVENTS, file);
  const alias = join(directory, 'alias.ct');
  symlinkSync(file, alias);
  assert.equal((await squeeze({ file: alias })).file, file);
  assert.ok((await listText(file)).stderr.includes('.version: 3.'));
  assert.deepEqual(readdirSync(directory).sort(), ['a.ct', 'alias.ct']);
});
