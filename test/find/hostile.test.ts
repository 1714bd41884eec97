/**
 * Files whose author computed every checksum: whatever they hold ends in a listing of printable text or in a
 * DamageError.
 */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { DamageError } from '../../src/base/errors.js';
import { testFiles } from '../../src/find/upkeep/check.js';
import { repair } from '../../src/find/upkeep/repair.js';
import { fileStats } from '../../src/find/upkeep/stats.js';
import { statsJson } from '../../src/find/upkeep/stats-text.js';
import { BLOCK_HEADER_BYTES, BlockField } from '../../src/log/format/format.js';
import { temporaryDirectory } from '../lab/folder.js';
import { forged, type Piece, piecesOf, writeSound } from '../log/read/damage-helper.js';
import { runs } from '../soak/runs.js';
import { listText, useZone } from './helpers.js';

const RUNS = runs(100);
/** Anything but text, line ends, and what a terminal would obey. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\x00-\x09\x0b-\x1f\x7f-\x9f]/;

interface Bench {
  readonly pieces: readonly Piece[];
  /** The file with another piece in place of the i-th, read in every way. */
  read(i: number, piece: Piece): Promise<void>;
}

function bench(t: TestContext): Bench {
  useZone(t, 'UTC');
  const directory = temporaryDirectory(t);
  const pieces = piecesOf(writeSound(join(directory, 'sound.ct')));
  const file = join(directory, 'a.ct');
  return {
    pieces,
    read(i, piece) {
      writeFileSync(file, Buffer.concat(pieces.with(i, piece).map(({ bytes }) => bytes)));
      return readEveryWay(file);
    },
  };
}

/** Every way to read a file. */
async function readEveryWay(file: string): Promise<void> {
  const attempts = [
    () => listText(file, { showGaps: true, showSnapshots: true }),
    () => listText(file, { format: 'json', showGaps: true, showSnapshots: true }),
    () => listText(file, { squeeze: true }),
  ];
  for (const attempt of attempts) {
    try {
      const { stdout, stderr } = await attempt();
      assert.doesNotMatch(stdout, UNPRINTABLE);
      assert.doesNotMatch(stderr, UNPRINTABLE);
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      assert.doesNotMatch(error.message, UNPRINTABLE);
    }
  }
  for await (const { lines } of testFiles([file])) assert.doesNotMatch(lines.join('\n'), UNPRINTABLE);
  for await (const found of fileStats([file], assert.fail))
    if ('stats' in found) assert.doesNotMatch(statsJson(found, found.stats).trimEnd(), UNPRINTABLE);
  await assertRepairable(file);
}

/** Repair ends in a file that is sound, or says that nothing is intact. */
async function assertRepairable(file: string): Promise<void> {
  const output = `${file}.repaired`;
  try {
    const { damage } = await repair({ file, output });
    assert.doesNotMatch(damage.map(({ what }) => what).join('\n'), UNPRINTABLE);
    for await (const { sound } of testFiles([output])) assert.ok(sound);
    rmSync(output);
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
  }
}

test('any bytes changed in a payload', async (t) => {
  const { pieces, read } = bench(t);
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: pieces.length - 1 }), changes, async (i, changed) => {
      const payload = pieces[i].bytes.slice(BLOCK_HEADER_BYTES);
      for (const [at, value] of changed) payload[at % payload.length] = value;
      await read(i, forged(pieces[i], payload));
    }),
    { numRuns: RUNS },
  );
});

test('any JSON where a header, a gap or an end should be', async (t) => {
  const { pieces, read } = bench(t);
  const json = pieces.flatMap(({ name, bytes }, i) =>
    ['header', 'block 3', 'end'].includes(name)
      ? [{ i, value: JSON.parse(Buffer.from(bytes.subarray(BLOCK_HEADER_BYTES)).toString()) }]
      : [],
  );
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('\u001b[2J', '\u009b2J', 1e300, -1, 2 ** 53, 0.5),
  );
  const altered = fc.constantFrom(...json).chain(({ i, value }) => {
    const field = fc
      .constantFrom(...Object.keys(value))
      .chain((key) => anything.map((v) => ({ ...value, [key]: v })));
    return fc.oneof(field, anything).map((v) => ({ i, text: JSON.stringify(v) }));
  });
  await fc.assert(
    fc.asyncProperty(altered, async ({ i, text }) => {
      await read(i, forged(pieces[i], Buffer.from(text)));
    }),
    { numRuns: RUNS },
  );
});

test('any number in the header of a block', async (t) => {
  const { pieces, read } = bench(t);
  const fields = [BlockField.runId, BlockField.sequence, BlockField.minTimeUs, BlockField.maxTimeUs];
  const block = fc.integer({ min: 1, max: pieces.length - 1 });
  const value = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(0n, 2n ** 53n - 1n, 2n ** 53n),
  );
  await fc.assert(
    fc.asyncProperty(block, fc.constantFrom(...fields), value, async (i, field, number) => {
      const bytes = pieces[i].bytes.slice();
      new DataView(bytes.buffer).setBigUint64(field, number, true);
      await read(i, forged({ ...pieces[i], bytes }, bytes.subarray(BLOCK_HEADER_BYTES)));
    }),
    { numRuns: RUNS },
  );
});
