/**
 * Files left in the log directory by somebody else, made to look like the recorder's own: its start believes
 * none of what they say.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { realFileSystem } from '../../src/base/disk/file-system.js';
import { BLOCK_HEADER_BYTES, BlockField } from '../../src/log/format/format.js';
import { FinishedFiles } from '../../src/log/read/finished-files.js';
import { createStats } from '../../src/record/stage/counters.js';
import { LogWriter } from '../../src/record/writer/writer.js';
import { temporaryDirectory } from '../lab/folder.js';
import { forged, type Piece, piecesOf, writeSound } from '../log/read/damage-helper.js';
import { Events, meta, options, recoverFiles, START_US } from '../record/writer/writer-helper.js';

const RUNS = 150;
const skip = process.platform === 'win32' ? 'no pipes among files there' : false;
const previous = { file: 'other', acknowledgedBytes: 1, chain: '00'.repeat(32) };
const origin = { file: 'other', firstChain: '00'.repeat(32), lastChain: '00'.repeat(32) };

/** A file of the recorder with this template, in pieces. */
function piecesFor(t: TestContext, template: string): Piece[] {
  const path = join(temporaryDirectory(t), 'sound');
  return piecesOf(writeSound(path, { ...meta, template, previous, origin }));
}

/** What a recorder does at its start and at its first look for files to remove. */
async function start(template: string): Promise<void> {
  const events = new Events();
  const earlier = await recoverFiles(template, [6], realFileSystem, events.emit);
  const writer = new LogWriter(options(template), createStats(), () => {}, realFileSystem);
  writer.open(START_US + 3600e6, earlier);
  const look = new FinishedFiles(realFileSystem).look(writer.recorder);
  while (look.next().done !== true);
  writer.close();
}

test('whatever a header or end says, the start neither fails nor trusts it', async (t) => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(null, {}, { file: null }, -1, 0.5, 1e300, 2 ** 53 - 1, -(2 ** 53) + 1, 8.64e12, 'x'),
  );
  const directory = temporaryDirectory(t);
  const template = join(directory, '%a-%H%M');
  const pieces = piecesFor(t, template);
  const json = pieces.flatMap(({ name, bytes }, i) =>
    name === 'header' || name === 'end'
      ? [{ i, value: JSON.parse(Buffer.from(bytes.subarray(BLOCK_HEADER_BYTES)).toString()) }]
      : [],
  );
  const altered = fc
    .constantFrom(...json)
    .chain(({ i, value }) =>
      fc
        .constantFrom(
          ...Object.keys(value).filter((key) => !['template', 'protocols', 'endOffset'].includes(key)),
        )
        .chain((key) => anything.map((v) => ({ i, text: JSON.stringify({ ...value, [key]: v }) }))),
    );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(altered, fc.boolean(), async ({ i, text }, isLive) => {
      const folder = join(directory, String(run++));
      mkdirSync(folder);
      const own = template.replace(directory, folder);
      const retold = text.replaceAll(JSON.stringify(template), JSON.stringify(own));
      const header = JSON.parse(Buffer.from(pieces[1].bytes.subarray(BLOCK_HEADER_BYTES)).toString());
      const first = forged(pieces[1], Buffer.from(JSON.stringify({ ...header, template: own })));
      const shaped = pieces.with(1, first).with(i, forged(pieces[i], Buffer.from(retold)));
      // The end says where it stands.
      const endAt = shaped.slice(0, -1).reduce((sum, { bytes }) => sum + bytes.length, 0);
      const end = Buffer.from(shaped.at(-1)!.bytes.subarray(BLOCK_HEADER_BYTES)).toString();
      const offset = endAt.toString(16).padStart(16, '0');
      const last = Buffer.from(end.replace(/"endOffset":"[0-9a-f]{16}"/, `"endOffset":"${offset}"`));
      const whole = shaped.with(-1, forged(shaped.at(-1)!, last));
      writeFileSync(
        join(folder, isLive ? 'Thu-2015.part' : 'Thu-2015'),
        Buffer.concat(whole.map(({ bytes }) => bytes)),
      );
      await start(own);
    }),
    { numRuns: RUNS },
  );
});

test('lengths and numbers in block headers cost no memory and no file', async (t) => {
  const directory = temporaryDirectory(t);
  const template = join(directory, '%a-%H%M');
  const pieces = piecesFor(t, template);
  const fields = [BlockField.storedBytes, BlockField.rawBytes, BlockField.count] as const;
  for (const field of fields)
    for (const value of [0xffffffff, 0x7fffffff, 32 * 1024 * 1024]) {
      const bytes = pieces[4].bytes.slice();
      new DataView(bytes.buffer).setUint32(field, value, true);
      const path = join(directory, `Thu-20${10 + fields.indexOf(field)}.${value}.part`);
      const piece =
        field === BlockField.storedBytes
          ? { ...pieces[4], bytes }
          : forged({ ...pieces[4], bytes }, bytes.slice(BLOCK_HEADER_BYTES));
      writeFileSync(path, Buffer.concat(pieces.with(4, piece).map((one) => one.bytes)));
    }
  const before = process.memoryUsage().arrayBuffers;
  await start(template);
  assert.ok(process.memoryUsage().arrayBuffers - before < 100e6);
});

test('pipes, links and directories with the names of files left behind are passed by, and nothing is done to them', {
  skip,
}, async (t) => {
  const directory = temporaryDirectory(t);
  const template = join(directory, '%a-%H%M');
  const victim = join(directory, 'victim');
  writeFileSync(victim, Buffer.concat(piecesFor(t, template).map(({ bytes }) => bytes)));
  const before = readFileSync(victim);
  for (const suffix of ['', '.part']) {
    execFileSync('mkfifo', [join(directory, `Thu-2001${suffix}`)]);
    symlinkSync(victim, join(directory, `Thu-2002${suffix}`));
    symlinkSync('nowhere', join(directory, `Thu-2003${suffix}`));
    mkdirSync(join(directory, `Thu-2004${suffix}`));
  }
  await start(template);
  assert.deepEqual(readFileSync(victim), before);
  assert.ok(!existsSync(join(directory, 'nowhere')));
  for (const suffix of ['', '.part']) {
    assert.ok(lstatSync(join(directory, `Thu-2001${suffix}`)).isFIFO());
    assert.ok(lstatSync(join(directory, `Thu-2002${suffix}`)).isSymbolicLink());
  }
});
