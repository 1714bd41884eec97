import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DamageError, SystemFailure, UsageError } from '../../../src/base/errors.js';
import { defaultListOptions, list } from '../../../src/find/query/list.js';
import { temporaryDirectory } from '../../lab/folder.js';
import { fixture, listText, useZone } from '../helpers.js';

const EVENTS = fixture('legacy-tcp.ct');
const SQUEEZED = fixture('legacy-tcp-squeezed.ct');
const golden = (name: string) => readFileSync(fixture(name), 'utf8');

test("lists the ancestor's file to the byte, in both zones", async (t) => {
  for (const [tz, name] of [
    ['UTC', 'utc'],
    ['Europe/Warsaw', 'warsaw'],
  ] as const) {
    useZone(t, tz);
    const { stdout, result } = await listText(EVENTS);
    assert.equal(stdout, golden(`legacy-tcp.list.${name}.txt`));
    assert.deepEqual(result, { listed: 13, gaps: 0, damaged: 0, exitCode: 0 });
  }
});

test('header on stderr, with the real month; -H leaves it out', async (t) => {
  useZone(t, 'UTC');
  const { stderr } = await listText(EVENTS);
  assert.equal(stderr, golden('legacy-tcp.header.utc.txt').replace('.startd: 2026.10.', '.startd: 2026.11.'));
  assert.equal((await listText(EVENTS, { noHeader: true })).stderr, '');
});

test("the ancestor's squeezed file lists as connections, with -s or without", async (t) => {
  useZone(t, 'UTC');
  const expected = golden('legacy-tcp-squeezed.list.utc.txt');
  assert.equal((await listText(SQUEEZED)).stdout, expected);
  assert.equal((await listText(SQUEEZED, { squeeze: true })).stdout, expected);
});

test('-s keeps the three connections that the ancestor lost', async (t) => {
  useZone(t, 'UTC');
  const { stdout } = await listText(EVENTS, { squeeze: true });
  const open = golden('legacy-tcp.list.utc.txt')
    .split('\n')
    .filter((line) => / S .*:(1528|40002|50001) dst=/.test(line))
    .map((line) => line.replace(' S ', ' -          -              '));
  assert.equal(open.length, 3);
  assert.equal(stdout, `${golden('legacy-tcp-squeezed.list.utc.txt')}${open.join('\n')}\n`);
});

test('-i and -p', async (t) => {
  useZone(t, 'UTC');
  const all = golden('legacy-tcp.list.utc.txt').split('\n');
  const { stdout } = await listText(EVENTS, {
    networks: ['10.0.0.0/24'],
    ports: [{ first: 853, last: 853 }],
  });
  assert.equal(
    stdout,
    all
      .filter((line) => line.includes('src=10.0.0.9'))
      .map((line) => `${line}\n`)
      .join(''),
  );
  await assert.rejects(listText(EVENTS, { networks: ['10.0.0.0/33'] }), UsageError);
});

test('gzip is read; what is no log is refused', async (t) => {
  useZone(t, 'UTC');
  const directory = temporaryDirectory(t);
  const packed = join(directory, 'packed.ct.gz');
  writeFileSync(packed, gzipSync(readFileSync(EVENTS)));
  assert.equal((await listText(packed)).stdout, golden('legacy-tcp.list.utc.txt'));
  const empty = join(directory, 'empty.ct');
  writeFileSync(empty, '');
  const text = join(directory, 'text.ct');
  writeFileSync(text, 'no log at all, but long enough to hold a header');
  const version1 = join(directory, 'version1.ct');
  const bytes = readFileSync(EVENTS);
  bytes.writeUInt32BE(1, 4);
  writeFileSync(version1, bytes);
  await assert.rejects(listText(version1), DamageError);
  await assert.rejects(listText(empty), DamageError);
  await assert.rejects(listText(text), DamageError);
  await assert.rejects(listText(directory), SystemFailure);
  await assert.rejects(listText(join(directory, 'none.ct')), SystemFailure);
});

test('a damaged place is said in one line, the rest listed, exit code 1', async (t) => {
  useZone(t, 'UTC');
  const path = join(temporaryDirectory(t), 'cut.ct');
  writeFileSync(path, readFileSync(EVENTS).subarray(0, 256 + 33 * 4 + 7));
  const { stdout, stderr, result } = await listText(path, { noHeader: true });
  assert.equal(stdout, `${golden('legacy-tcp.list.utc.txt').split('\n').slice(0, 4).join('\n')}\n`);
  assert.equal(stderr, `${path}: offset 388, 7 bytes: the last entry is cut off (7 of 33 bytes)\n`);
  assert.equal(result.exitCode, 1);
});

test('a gzip file that is cut still lists what could be unpacked', async (t) => {
  useZone(t, 'UTC');
  const path = join(temporaryDirectory(t), 'cut.ct.gz');
  writeFileSync(path, gzipSync(readFileSync(EVENTS), { level: 0 }).subarray(0, 500));
  const { stdout, result } = await listText(path, { noHeader: true });
  assert.ok(stdout.length > 0 && golden('legacy-tcp.list.utc.txt').startsWith(stdout));
  assert.equal(result.exitCode, 1);
});

test('a reader that goes away ends the listing quietly', async (t) => {
  // Enough that several buffers are needed.
  const path = join(temporaryDirectory(t), 'long.ct');
  const bytes = readFileSync(EVENTS);
  const entries = Buffer.concat(Array.from({ length: 5000 }, () => bytes.subarray(256)));
  writeFileSync(path, Buffer.concat([bytes.subarray(0, 256), entries]));
  let writes = 0;
  const stdout = new Writable({
    write(_chunk, _encoding, done) {
      writes++;
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    },
  });
  const stderr = new Writable({ write: (_chunk, _encoding, done) => done() });
  const result = await list({ ...defaultListOptions, file: path }, { stdout, stderr });
  assert.equal(writes, 1);
  assert.ok(result.listed < 5000 * 13);
  assert.equal(result.exitCode, 0);
  const full = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('write ENOSPC'), { code: 'ENOSPC' })),
  });
  await assert.rejects(list({ ...defaultListOptions, file: path }, { stdout: full, stderr }), /ENOSPC/);
});
