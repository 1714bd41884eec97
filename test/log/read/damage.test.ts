/**
 * The damage matrix: whatever happens to a file, `-T` finds it and names it, and the reader gives every block
 * that is whole.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { ByteInput, FileFeed } from '../../../src/base/disk/input.js';
import { testFiles } from '../../../src/find/upkeep/check.js';
import type { CheckReport } from '../../../src/find/upkeep/check-report.js';
import { BLOCK_HEADER_BYTES, FILE_PREAMBLE_BYTES } from '../../../src/log/format/format.js';
import { scanBlocks } from '../../../src/log/read/scan.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';
import { meta } from '../../record/writer/writer-helper.js';
import { runs } from '../../soak/runs.js';
import {
  assembled,
  DATA_BLOCKS,
  heapOf,
  overwritten,
  type Piece,
  piecesOf,
  readLog,
  rowsOfBlocks,
  type Variant,
  without,
  writeSound,
} from './damage-helper.js';

const PAGE_BYTES = 512;

let folder: string;
let path: string;
let sound: Uint8Array;
let pieces: Piece[];

before(() => {
  folder = makeFolder('damage');
  sound = writeSound(join(folder, 'sound.ct'));
  path = join(folder, 'a.ct');
  pieces = piecesOf(sound);
});

after(() => removeFolder(folder));

async function check(...files: string[]): Promise<CheckReport[]> {
  const reports: CheckReport[] = [];
  for await (const report of testFiles(files)) reports.push(report);
  return reports;
}

/** Every block that is whole is read, once; `-T` is not content. Answers what it says. */
async function assertReadable({ what, bytes, intact }: Variant): Promise<string> {
  writeFileSync(path, bytes);
  const { rows, damage, failure: unreadable } = await readLog(path);
  assert.deepEqual(rows, rowsOfBlocks(intact), what);
  if (intact.join() !== DATA_BLOCKS.join())
    assert.ok(unreadable !== undefined || damage.length > 0, `${what}: nothing is said on stderr`);
  const [{ sound: isSound, lines, failure }] = await check(path);
  assert.equal(isSound, false, `${what}: -T calls it sound`);
  for (const { what: text } of damage) assert.ok(!text.includes('\n'));
  return failure === undefined ? lines.join('\n') : failure.message;
}

/** Of the piece that holds this byte. */
function startOf(offset: number): number {
  let at = 0;
  for (const { bytes } of pieces) {
    if (offset < at + bytes.length) return at;
    at += bytes.length;
  }
  return at;
}

test('an undamaged file is sound', async () => {
  writeFileSync(path, sound);
  assert.deepEqual(await readLog(path), {
    rows: rowsOfBlocks(DATA_BLOCKS),
    gaps: (await readLog(path)).gaps,
    damage: [],
  });
  assert.equal((await check(path))[0].sound, true);
});

test('any bit flipped costs its block alone, and -T names the place', async () => {
  for (let at = 0; at < sound.length; at++) {
    const flip = (bytes: Uint8Array) => {
      bytes[0] ^= 1 << (at % 8);
    };
    const said = await assertReadable(overwritten(`byte ${at} flipped`, pieces, at, at + 1, flip));
    // Of minor version and reserved bytes only the hash of the first block knows.
    const place = at >= 10 && at < FILE_PREAMBLE_BYTES ? FILE_PREAMBLE_BYTES : startOf(at);
    assert.match(said, new RegExp(`first at offset ${place},`), `byte ${at}`);
  }
});

test('cut at any byte: what stands before the cut is read, the cut is named', async () => {
  for (let length = 0; length < sound.length; length++) {
    const variant = without(`cut at ${length}`, pieces, length, sound.length);
    const said = await assertReadable(variant);
    assert.match(said, /ends within|ends without an end block|cut off|is empty/, variant.what);
  }
});

test('any block missing, doubled or at another place', async () => {
  for (const [i, piece] of pieces.entries()) {
    if (piece.name === 'preamble') continue;
    const others = pieces.toSpliced(i, 1);
    const said = await assertReadable(assembled(`${piece.name} missing`, others));
    if (piece.block > 0) assert.match(said, new RegExp(`block ${piece.block} is missing`));
    if (piece.name === 'header') assert.match(said, /the first block is not a header/);
    if (piece.name === 'end') assert.match(said, /without an end block/);
    for (let to = 1; to < pieces.length; to++) {
      if (to !== i)
        await assertReadable(assembled(`${piece.name} moved to ${to}`, others.toSpliced(to, 0, piece)));
      const doubled = await assertReadable(
        assembled(`${piece.name} again at ${to}`, pieces.toSpliced(to, 0, piece)),
      );
      if (piece.block > 0) assert.match(doubled, new RegExp(`block ${piece.block} is repeated`));
    }
  }
});

test('any two blocks swapped', async () => {
  for (let i = 1; i < pieces.length; i++)
    for (let j = i + 1; j < pieces.length; j++) {
      const swapped = pieces.with(i, pieces[j]).with(j, pieces[i]);
      const said = await assertReadable(
        assembled(`${pieces[i].name} and ${pieces[j].name} swapped`, swapped),
      );
      if (pieces[i].block > 0 && pieces[j].block > 0)
        assert.match(said, new RegExp(`block ${pieces[i].block} is out of place`));
    }
});

test('pages zeroed, or missing, anywhere', async () => {
  const zero = (bytes: Uint8Array) => void bytes.fill(0);
  for (let from = 0; from < sound.length; from += PAGE_BYTES / 4) {
    const to = Math.min(from + PAGE_BYTES, sound.length);
    await assertReadable(overwritten(`${from} to ${to} zeroed`, pieces, from, to, zero));
    await assertReadable(without(`${from} to ${to} missing`, pieces, from, to));
  }
});

test('blocks are found where blocks before them are passed over unread', async () => {
  for (const [i, { block, bytes }] of pieces.entries()) {
    if (block === 0) continue;
    for (const cut of [1, bytes.length - BLOCK_HEADER_BYTES]) {
      const shorter = { ...pieces[i], bytes: bytes.subarray(0, bytes.length - cut) };
      writeFileSync(path, Buffer.concat(pieces.with(i, shorter).map((piece) => piece.bytes)));
      const found: number[] = [];
      const input = new ByteInput(new FileFeed(path));
      await input.need(FILE_PREAMBLE_BYTES);
      input.advance(FILE_PREAMBLE_BYTES);
      for await (const item of scanBlocks(input, { wants: () => false }))
        if (item.type === 'block' && item.frame.type < 7) found.push(item.frame.sequence);
      await input.close();
      assert.deepEqual(
        found.filter((number) => number > 0),
        DATA_BLOCKS.filter((number) => number !== block),
      );
    }
  }
});

test('any heap of whole blocks, broken blocks and garbage: every whole block is read once', async () => {
  await fc.assert(
    fc.asyncProperty(heapOf(pieces.slice(1)), async (parts) => {
      const { what, bytes, intact } = assembled('heap', [pieces[0], ...parts]);
      writeFileSync(path, bytes);
      const { rows } = await readLog(path);
      assert.deepEqual(rows, rowsOfBlocks(intact), what);
    }),
    { numRuns: runs(1000) },
  );
});

test('files swapped in the chain, or one of them missing', async () => {
  const names = ['one.ct', 'two.ct', 'three.ct'].map((name) => join(folder, name));
  let previous: typeof meta.previous;
  for (const name of names) {
    const bytes = writeSound(name, { ...meta, ...(previous && { previous }) });
    const end = piecesOf(bytes).at(-1)!.bytes;
    const chain = Buffer.from(end.subarray(60, 92)).toString('hex');
    previous = { file: name.slice(folder.length + 1), acknowledgedBytes: bytes.length, chain };
  }
  const [one, two, three] = names;
  const verdicts = async (...files: string[]) => (await check(...files)).map((report) => report.sound);
  assert.deepEqual(await verdicts(one, two, three), [true, true, true]);
  assert.deepEqual(await verdicts(two, one, three), [true, false, false]);
  assert.deepEqual(await verdicts(one, three), [true, false]);
  const [, , last] = await check(two, one, three);
  assert.match(last.lines.join('\n'), /three\.ct: .*does not continue .*one\.ct: it names two\.ct/);
});
