/**
 * A sample of the damage matrix (test/log/read/damage.test.ts, test/find/upkeep/repair.test.ts) as a user
 * meets it.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeFolder, removeFolder } from '../lab/folder.js';
import {
  assembled,
  DATA_BLOCKS,
  overwritten,
  piecesOf,
  type Variant,
  without,
  writeSound,
} from '../log/read/damage-helper.js';
import { ctrecorder } from './command-line.js';

const folder = makeFolder('cli-damage');
after(() => removeFolder(folder));
const soundFile = join(folder, 'sound.ct');
const pieces = piecesOf(writeSound(soundFile));
const size = readFileSync(soundFile).length;
const startOf = (name: string) => {
  const index = pieces.findIndex((piece) => piece.name === name);
  return pieces.slice(0, index).reduce((sum, { bytes }) => sum + bytes.length, 0);
};
const zero = (bytes: Uint8Array) => void bytes.fill(0);
const block2 = startOf('block 2');

/** List lines of the sound file by data block: the gap line stands for block 3. */
const listing = ctrecorder(['-LHf', soundFile, '--show-gaps', '--show-snapshots']).stdout;
const linesByBlock = new Map<number, string>();
for (const line of listing.trimEnd().split('\n')) {
  const second = Number(/\d\d:\d\d:(\d\d)/.exec(line)![1]);
  linesByBlock.set(second, `${linesByBlock.get(second) ?? ''}${line}\n`);
}

const variants: readonly (Variant & { said: RegExp; gaps: number })[] = [
  {
    ...overwritten('a bit', pieces, block2 + 100, block2 + 101, (bytes) => {
      bytes[0] ^= 4;
    }),
    said: /block 2: the payload's checksum is wrong/,
    gaps: 1,
  },
  { ...assembled('missing', pieces.toSpliced(4, 1)), said: /block 3 is missing/, gaps: 1 },
  { ...assembled('doubled', pieces.toSpliced(4, 0, pieces[2])), said: /block 1 is repeated/, gaps: 0 },
  {
    ...assembled('reordered', pieces.with(3, pieces[5]).with(5, pieces[3])),
    said: /block 2 is out of place/,
    gaps: 0,
  },
  {
    ...overwritten('zeroed', pieces, block2 - 10, block2 + 10, zero),
    said: /block 1: the payload's checksum is wrong/,
    gaps: 1,
  },
  { ...without('cut', pieces, startOf('block 5') + 5, size), said: /ends within a block header/, gaps: 1 },
];

test('the sound file has lines of every block', () => {
  assert.deepEqual([...linesByBlock.keys()], DATA_BLOCKS);
});

for (const { what, bytes, intact, said, gaps } of variants)
  test(`${what}: -T names it, -L lists what is whole, stats counts, repair mends`, () => {
    const file = join(folder, `${what}.ct`);
    const output = join(folder, `${what}-repaired.ct`);
    writeFileSync(file, bytes);
    const linesOf = (blocks: readonly number[]) => blocks.map((block) => linesByBlock.get(block)).join('');
    const list = (path: string) => ctrecorder(['-LHf', path, '--show-gaps', '--show-snapshots']);

    const checked = ctrecorder(['-Tf', file]);
    assert.equal(checked.code, 1);
    assert.match(checked.stdout, said);
    const listed = list(file);
    assert.equal(listed.code, 1);
    assert.equal(listed.stdout, linesOf(intact));
    assert.match(listed.stderr, said);
    const counted = ctrecorder(['stats', '--json', '-f', file]);
    assert.equal(counted.code, 1);
    assert.ok(JSON.parse(counted.stdout).damaged > 0);

    const repaired = ctrecorder(['repair', file, '-o', output]);
    assert.equal(repaired.stderr, '');
    assert.equal(repaired.code, 0);
    assert.match(repaired.stdout, said);
    assert.ok(repaired.stdout.includes(`${output}: ${intact.length} data blocks with `), repaired.stdout);
    assert.equal(repaired.stdout.match(/^# gap .* lost=unknown cause=damaged file$/gm)?.length ?? 0, gaps);
    assert.equal(ctrecorder(['-Tf', output]).code, 0);
    const mended = list(output);
    assert.equal(mended.code, 0);
    const rows = mended.stdout.replace(/^# gap .* cause=damaged file\n/gm, '');
    assert.equal(rows, linesOf(intact.toSorted()));
    assert.equal(ctrecorder(['stats', output]).code, 0);
    assert.deepEqual(readFileSync(file), bytes);
  });

test('an undamaged file is copied, and said to be one', () => {
  const output = join(folder, 'copy.ct');
  const { code, stdout } = ctrecorder(['repair', '-f', soundFile, '--output', output]);
  assert.equal(code, 0);
  assert.match(stdout, /copy\.ct: 5 data blocks with 16 records kept: .*sound\.ct was not damaged\n$/);
});

test('repair wants one file and an output that is not there', () => {
  const output = join(folder, 'never.ct');
  for (const args of [
    [soundFile],
    [soundFile, soundFile, '-o', output],
    ['-o', output],
    ['-f', '-', '-o', output],
    [soundFile, '-o', ''],
  ]) {
    const { code, stderr } = ctrecorder(['repair', ...args]);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, /^ctrecorder: [^\n]+\n$/);
  }
  const taken = ctrecorder(['repair', soundFile, '-o', soundFile]);
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /sound\.ct: already exists; name another output\n$/);
  assert.ok(!existsSync(output));
});

test('stats of several files: one after the other and their sum; standard input', () => {
  const golden = 'test/fixtures/log/golden-3.0.ct';
  const { code, stdout } = ctrecorder(['stats', '--json', soundFile, golden]);
  assert.equal(code, 0);
  const [one, two, sum] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual([one.file, two.file, sum.file, sum.files], [soundFile, golden, null, 2]);
  assert.equal(sum.events, one.events + two.events);
  const piped = ctrecorder(['stats', '--json', '-f', '-'], readFileSync(golden));
  assert.deepEqual(JSON.parse(piped.stdout), { ...two, file: '-' });
  assert.match(ctrecorder(['stats', soundFile, golden]).stdout, /^sum of 2 files\n {2}time /m);
  const missing = ctrecorder(['stats', join(folder, 'none.ct'), golden]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^ctrecorder: .*none\.ct: no such file\n$/);
  assert.match(missing.stdout, /golden/);
});
