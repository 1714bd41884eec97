import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { copyFileSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { DamageError, SystemFailure, UsageError } from '../../../src/base/errors.js';
import type { GapRecord } from '../../../src/event/gap.js';
import { testFiles } from '../../../src/find/upkeep/check.js';
import { type RepairResult, repair } from '../../../src/find/upkeep/repair.js';
import { squeeze } from '../../../src/find/upkeep/squeeze.js';
import { BLOCK_HEADER_BYTES, BlockField } from '../../../src/log/format/format.js';
import { stampFrame } from '../../../src/log/format/frame.js';
import { temporaryDirectory } from '../../lab/folder.js';
import {
  assembled,
  DATA_BLOCKS,
  GAP_BLOCK,
  heapOf,
  overwritten,
  type Piece,
  piecesOf,
  readLog,
  rowsOfBlocks,
  type Variant,
  without,
  writeSound,
} from '../../log/read/damage-helper.js';
import { meta, metaOf, START_US } from '../../record/writer/writer-helper.js';
import { runs } from '../../soak/runs.js';
import { fixture, listText, useZone } from '../helpers.js';

interface Bench {
  readonly file: string;
  readonly output: string;
  readonly pieces: readonly Piece[];
}

function bench(t: TestContext): Bench {
  const directory = temporaryDirectory(t);
  const pieces = piecesOf(writeSound(join(directory, 'sound.ct')));
  return { file: join(directory, 'damaged.ct'), output: join(directory, 'repaired.ct'), pieces };
}

const isOneLine = (error: unknown) =>
  (error instanceof SystemFailure || error instanceof UsageError || error instanceof DamageError) &&
  !error.message.includes('\n');

async function isSound(...files: string[]): Promise<boolean> {
  for await (const { sound } of testFiles(files)) if (!sound) return false;
  return true;
}

/** Smallest and largest time of a data block of the test file. */
function timesOf(block: number): [number, number] {
  const fromUs = START_US + block * 1e6;
  return [fromUs, fromUs + (block === GAP_BLOCK ? 5 : 3)];
}

/**
 * The repaired file passes `-T` and holds every intact block in the order of the numbers. Answers its gaps
 * too.
 */
async function assertRepaired(
  { file, output }: Bench,
  { what, bytes, intact }: Variant,
): Promise<RepairResult & { repairGaps: GapRecord[] }> {
  writeFileSync(file, bytes);
  const result = await repair({ file, output });
  assert.ok(await isSound(output), `${what}: the repaired file is not sound`);
  const { rows, gaps, damage } = await readLog(output);
  rmSync(output);
  assert.deepEqual(rows, rowsOfBlocks(intact.toSorted()), what);
  assert.deepEqual(damage, [], what);
  assert.equal(result.blocks, intact.length, what);
  assert.deepEqual(readFileSync(file), Buffer.from(bytes), what);
  const repairGaps = gaps.filter(({ cause }) => cause === 'damaged file');
  assert.deepEqual(repairGaps, result.gaps, what);
  for (const gap of repairGaps) assert.deepEqual([gap.certainty, gap.lost], ['unknown', 0]);
  return { ...result, repairGaps };
}

/**
 * And there is a gap over the time of every lost block, over no intact one, and none when nothing is lost.
 */
async function assertGapsRight(place: Bench, variant: Variant): Promise<void> {
  const { what, intact } = variant;
  const { repairGaps, lostBlocks, lostUncounted } = await assertRepaired(place, variant);
  const lost = DATA_BLOCKS.filter((block) => !intact.includes(block));
  for (const block of lost) {
    const [fromUs, toUs] = timesOf(block);
    const over = repairGaps.filter((gap) => gap.fromUs <= fromUs && gap.toUs >= toUs);
    // Of blocks behind the last intact header not even the time is known.
    if (over.length === 0) assert.ok(lostUncounted && block > Math.max(...intact), `${what}: block ${block}`);
  }
  for (const block of intact) {
    const [fromUs, toUs] = timesOf(block);
    assert.ok(!repairGaps.some((gap) => gap.fromUs < fromUs && gap.toUs > toUs), `${what}: block ${block}`);
  }
  if (!lostUncounted) assert.equal(lostBlocks, lost.length, what);
  if (lost.length === 0 && !lostUncounted) assert.deepEqual(repairGaps, [], what);
}

test('a bit flipped in any field of any block', async (t) => {
  const place = bench(t);
  let start = 0;
  for (const { name, bytes } of place.pieces) {
    const fields = name === 'preamble' ? bytes.keys() : [...Object.values(BlockField), 96, bytes.length - 1];
    for (const field of fields) {
      const flip = (changed: Uint8Array) => {
        changed[0] ^= 1 << (field % 8);
      };
      const at = start + field;
      await assertGapsRight(place, overwritten(`${name}, byte ${field}`, place.pieces, at, at + 1, flip));
    }
    start += bytes.length;
  }
});

test('cut anywhere', async (t) => {
  const place = bench(t);
  const size = place.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  let start = 0;
  const boundaries = place.pieces.map(({ bytes }) => {
    start += bytes.length;
    return start;
  });
  const headerEnd = boundaries[1];
  for (const boundary of boundaries)
    for (const length of [boundary - 1, boundary, boundary + 1, boundary + 97]) {
      if (length >= size) continue;
      const variant = without(`cut at ${length}`, place.pieces, length, size);
      if (length >= headerEnd) await assertGapsRight(place, variant);
      else {
        writeFileSync(place.file, variant.bytes);
        await assert.rejects(repair(place), isOneLine);
      }
    }
});

test('a block missing, doubled, moved or swapped with another', async (t) => {
  const place = bench(t);
  const { pieces } = place;
  for (const [i, piece] of pieces.entries()) {
    if (i === 0) continue;
    const others = pieces.toSpliced(i, 1);
    await assertGapsRight(place, assembled(`${piece.name} missing`, others));
    await assertGapsRight(place, assembled(`${piece.name} twice`, pieces.toSpliced(i, 0, piece)));
    await assertGapsRight(place, assembled(`${piece.name} first`, others.toSpliced(1, 0, piece)));
    await assertGapsRight(place, assembled(`${piece.name} last`, [...others, piece]));
    const next = pieces[i + 1];
    if (next) await assertGapsRight(place, assembled('swapped', pieces.with(i, next).with(i + 1, piece)));
  }
});

test('blocks that stand again between others', async (t) => {
  const place = bench(t);
  const [preamble, header, one, two, three, four, five, index, end] = place.pieces;
  for (const order of [
    [five, one, five, two, three, four],
    [three, one, three, two, three, four, five],
    [one, two, four, one, five, four, three],
  ])
    await assertGapsRight(place, assembled('again', [preamble, header, ...order, index, end]));
});

test('pages zeroed or missing', async (t) => {
  const place = bench(t);
  const size = place.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const zero = (bytes: Uint8Array) => void bytes.fill(0);
  for (let from = 0; from < size; from += 256) {
    const to = Math.min(from + 512, size);
    await assertGapsRight(place, overwritten(`${from} to ${to} zeroed`, place.pieces, from, to, zero));
    await assertGapsRight(place, without(`${from} to ${to} missing`, place.pieces, from, to));
  }
});

test('any heap of whole blocks, broken blocks and garbage', async (t) => {
  const place = bench(t);
  await fc.assert(
    fc.asyncProperty(heapOf(place.pieces.slice(1)), async (parts) => {
      // With a header there is always something to repair.
      await assertRepaired(place, assembled('heap', [...place.pieces.slice(0, 2), ...parts]));
    }),
    { numRuns: runs(60) },
  );
});

test('the new file says what it stands for, and takes its place in the chain', async (t) => {
  const { file, output, pieces } = bench(t);
  const end = pieces.at(-1)!.bytes;
  const hash = (bytes: Uint8Array) => Buffer.from(bytes.subarray(60, 92)).toString('hex');
  const size = pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const next = join(dirname(file), 'next.ct');
  writeSound(next, { ...meta, previous: { file: 'damaged.ct', acknowledgedBytes: size, chain: hash(end) } });
  writeFileSync(file, assembled('', pieces.toSpliced(4, 1)).bytes);
  await repair({ file, output });
  const { runId, origin, ...facts } = metaOf(output);
  const { runId: originalRunId, ...originalFacts } = meta;
  assert.deepEqual(facts, originalFacts);
  assert.notEqual(runId, originalRunId);
  assert.deepEqual(origin, { file: 'damaged.ct', firstChain: hash(pieces[1].bytes), lastChain: hash(end) });
  assert.ok(await isSound(output, next));
  const squeezed = join(dirname(file), 'squeezed.ct');
  await squeeze({ file: output, output: squeezed });
  assert.deepEqual(metaOf(squeezed).origin, origin);
  assert.ok(await isSound(squeezed, next));
  const again = join(dirname(file), 'again.ct');
  await repair({ file: output, output: again });
  assert.deepEqual((await readLog(again)).rows, (await readLog(output)).rows);
});

test('a squeezed file stays one', async (t) => {
  useZone(t, 'UTC');
  const { file, output } = bench(t);
  copyFileSync(fixture('legacy-tcp.ct'), file);
  await squeeze({ file });
  const listed = await listText(file, { noHeader: true });
  await repair({ file, output });
  assert.deepEqual(await listText(output, { noHeader: true }), listed);
  assert.equal(metaOf(output).squeezed, true);
});

test('a block that does not hold what its checksums promise is left out', async (t) => {
  const { file, output, pieces } = bench(t);
  for (const number of DATA_BLOCKS) {
    const bytes = pieces[number + 1].bytes.slice();
    bytes[BLOCK_HEADER_BYTES] ^= 0xff;
    stampFrame(bytes, 0, new Uint8Array(32));
    writeFileSync(file, assembled('', pieces.with(number + 1, { ...pieces[number + 1], bytes })).bytes);
    const { lostBlocks, damage } = await repair({ file, output });
    assert.equal(lostBlocks, 1);
    assert.match(damage.map(({ what }) => what).join(), new RegExp(`block ${number}: block payload`));
    assert.ok(await isSound(output));
    rmSync(output);
  }
});

test('refuses what it must not touch or cannot repair, and leaves nothing behind', async (t) => {
  const { file, output, pieces } = bench(t);
  const directory = dirname(file);
  const bytes = assembled('', pieces.toSpliced(3, 1)).bytes;
  writeFileSync(file, bytes);
  const alias = join(directory, 'alias.ct');
  symlinkSync(file, alias);
  const nowhere = join(directory, 'nowhere.ct');
  symlinkSync(join(directory, 'none'), nowhere);
  const old = fixture('legacy-tcp.ct');
  const packed = join(directory, 'packed.ct');
  writeFileSync(packed, gzipSync(bytes));
  const foreign = join(directory, 'foreign.ct');
  writeFileSync(foreign, 'no log\n'.repeat(1000));
  const before = readdirSync(directory).sort();
  for (const options of [
    { file, output: file },
    { file, output: alias },
    { file: alias, output: `${directory}/./damaged.ct` },
    { file, output: nowhere },
    { file, output: join(directory, 'no', 'such.ct') },
    { file: '-', output },
    { file: directory, output },
    { file: join(directory, 'none.ct'), output },
    { file: old, output },
    { file: packed, output },
    { file: foreign, output },
  ])
    await assert.rejects(repair(options), isOneLine, JSON.stringify(options));
  assert.deepEqual(readFileSync(file), Buffer.from(bytes));
  assert.deepEqual(readdirSync(directory).sort(), before);
});

test('a locked file is refused; one left behind is repaired', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const { file, output, pieces } = bench(t);
  writeFileSync(`${file}.part`, assembled('', pieces.slice(0, -2)).bytes);
  const holder = spawn('flock', ['-x', `${file}.part`, 'sh', '-c', 'echo locked; read line'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => holder.stdin.end());
  await once(holder.stdout, 'data');
  for (const name of [file, `${file}.part`]) await assert.rejects(repair({ file: name, output }), isOneLine);
  holder.stdin.end();
  await once(holder, 'exit');
  const { blocks, gapCount } = await repair({ file, output });
  assert.deepEqual([blocks, gapCount], [5, 1]);
});

test('durable before its name appears, and nothing is left of an attempt that failed', async (t) => {
  const { file, output, pieces } = bench(t);
  writeFileSync(file, assembled('', pieces.toSpliced(3, 1)).bytes);
  const calls: string[] = [];
  const names = ['fdatasyncSync', 'fsyncSync', 'linkSync', 'unlinkSync'] as const;
  let failing = '';
  const originals = names.map((name) => fs[name] as (...args: unknown[]) => unknown);
  t.after(() => {
    for (const [i, name] of names.entries()) Object.assign(fs, { [name]: originals[i] });
    syncBuiltinESMExports();
  });
  for (const [i, name] of names.entries())
    Object.assign(fs, {
      [name]: (...args: unknown[]) => {
        calls.push(name);
        if (name === failing)
          throw Object.assign(new Error('injected'), { code: 'EIO', syscall: name, errno: -5 });
        return originals[i](...args);
      },
    });
  syncBuiltinESMExports();
  for (failing of names.slice(0, 3)) {
    await assert.rejects(repair({ file, output }), isOneLine, failing);
    assert.deepEqual(readdirSync(dirname(file)).sort(), ['damaged.ct', 'sound.ct']);
  }
  failing = '';
  calls.length = 0;
  await repair({ file, output });
  assert.deepEqual(calls, [
    'fdatasyncSync',
    'fdatasyncSync',
    'fsyncSync',
    'linkSync',
    'unlinkSync',
    'fsyncSync',
  ]);
});
