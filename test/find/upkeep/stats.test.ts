import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { TimeWriter } from '../../../src/base/time/time-text.js';
import { utcZone } from '../../../src/base/time/zone.js';
import { RecordFlag, RecordKind } from '../../../src/event/batch.js';
import { squeeze } from '../../../src/find/upkeep/squeeze.js';
import { type FileStats, fileStats, LogStats } from '../../../src/find/upkeep/stats.js';
import { statsJson, statsLines } from '../../../src/find/upkeep/stats-text.js';
import { LogFileWriter } from '../../../src/log/write/whole-file.js';
import { temporaryDirectory } from '../../lab/folder.js';
import { repositoryPath } from '../../lab/repository.js';
import { DATA_BLOCKS, piecesOf, writeSound } from '../../log/read/damage-helper.js';
import { meta } from '../../record/writer/writer-helper.js';
import { batchOf, documented, fixture, listText } from '../helpers.js';

const TIME = 1_795_409_443_000_000;
const GOLDEN = repositoryPath('test/fixtures/log/golden-3.0.ct');

async function collect(files: string[], said: string[] = []): Promise<FileStats[]> {
  const all: FileStats[] = [];
  for await (const found of fileStats(files, (line) => said.push(line))) all.push(found);
  return all;
}

/** Statistics of one file, and what was said. */
async function statsOf(
  file: string,
): Promise<{ stats: LogStats; json: Record<string, unknown>; said: string[] }> {
  const said: string[] = [];
  const [found] = await collect([file], said);
  assert.ok('stats' in found);
  return { stats: found.stats, json: JSON.parse(statsJson(found, found.stats)), said };
}

/** Every kind of row, also those without an event, and gaps of every certainty. */
function writeEveryKind(t: TestContext): string {
  const file = join(temporaryDirectory(t), 'a.ct');
  const writer = LogFileWriter.create(file, meta);
  const { snapshot, start, end, update } = RecordKind;
  writer.append(batchOf([1, 2, 3].map((i) => ({ kind: snapshot, timeUs: TIME + i, sport: i }))));
  writer.appendGap({ fromUs: TIME, toUs: TIME + 9, lost: 3, certainty: 'exact', cause: 'x' });
  writer.append(
    batchOf([
      { kind: start, timeUs: TIME + 10 },
      { kind: start, timeUs: TIME + 11, flags: RecordFlag.replied, proto: 17 },
      { kind: start, timeUs: TIME + 12, flags: RecordFlag.startUnseen | RecordFlag.derived },
      { kind: end, timeUs: TIME + 13, flags: RecordFlag.startUnseen },
      {
        kind: end,
        timeUs: TIME + 14,
        flags: RecordFlag.replied | RecordFlag.endUnseen | RecordFlag.derived,
        src: '2001:db8::1',
        dst: '2001:db8::2',
      },
      { kind: end, timeUs: TIME + 15, flags: RecordFlag.endUnseen | RecordFlag.derived },
      { kind: update, timeUs: TIME + 16 },
    ]),
  );
  writer.appendGap({ fromUs: TIME, toUs: TIME + 20, lost: 14, certainty: 'at-most', cause: 'x' });
  writer.appendGap({ fromUs: TIME, toUs: TIME + 30, lost: 0, certainty: 'unknown', cause: 'x' });
  writer.appendGap({ fromUs: TIME, toUs: TIME + 40, lost: 2, certainty: 'exact', cause: 'x' });
  writer.close();
  return file;
}

test('every kind of row is counted apart, events as they were received', async (t) => {
  const file = writeEveryKind(t);
  const { json } = await statsOf(file);
  assert.deepEqual(json, {
    file,
    files: 1,
    format: '3.0',
    squeezed: false,
    closed: true,
    firstTime: '2026-11-23T04:50:43.000001Z',
    lastTime: '2026-11-23T04:50:43.000016Z',
    bytes: statSync(file).size,
    bytesPerEvent: Math.round((statSync(file).size / 3) * 100) / 100,
    blocks: 6,
    records: 10,
    events: 3,
    starts: 2,
    ends: 1,
    derivedStarts: 1,
    derivedEnds: 2,
    snapshots: 3,
    connections: 0,
    gaps: 4,
    lost: 5,
    lostAtMost: 14,
    gapsUnknown: 1,
    damaged: 0,
    protocols: { tcp: 9, udp: 1 },
    timeSources: { event: 10 },
  });
});

test('docs/json.md names every key', async (t) => {
  const { always, others } = documented('## Statistics');
  const { json, stats } = await statsOf(writeEveryKind(t));
  const sum = JSON.parse(statsJson(undefined, stats));
  assert.deepEqual(Object.keys(sum), always);
  assert.deepEqual(new Set(Object.keys(json)), new Set([...always, ...others]));
});

for (const file of [GOLDEN, fixture('legacy-tcp.ct'), fixture('legacy-tcp-squeezed.ct')])
  test(`what the listing of ${file.slice(file.lastIndexOf('/') + 1)} counts`, async (t) => {
    const rows = (await listText(file, { format: 'json', noHeader: true, showSnapshots: true })).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const count = (event: string) => rows.filter((row) => row.event === event).length;
    const times = rows.flatMap((row) => [
      row.time,
      ...(row.event === 'connection' && row.end ? [row.end] : []),
    ]);
    const { json } = await statsOf(file);
    assert.deepEqual(
      [json.records, json.starts, json.ends, json.connections],
      [rows.length, count('start'), count('end'), count('connection')],
    );
    assert.deepEqual([json.firstTime, json.lastTime], [times.toSorted()[0], times.toSorted().at(-1)]);
    const protocols: Record<string, number> = {};
    for (const { proto } of rows) protocols[proto] = (protocols[proto] ?? 0) + 1;
    assert.deepEqual(json.protocols, protocols);
    assert.equal(json.bytes, statSync(file).size);
    const packed = join(temporaryDirectory(t), 'a.ct.gz');
    writeFileSync(packed, gzipSync(readFileSync(file)));
    assert.deepEqual((await statsOf(packed)).json, { ...json, file: packed });
  });

test('a squeezed file has connections; a sum adds up', async (t) => {
  const file = join(temporaryDirectory(t), 'a.ct');
  copyFileSync(GOLDEN, file);
  const before = (await statsOf(file)).stats;
  await squeeze({ file });
  const { json, stats } = await statsOf(file);
  assert.deepEqual([json.squeezed, json.events, json.connections, json.bytesPerEvent], [true, 0, 29, null]);
  const sum = new LogStats();
  sum.addFile(before);
  sum.addFile(stats);
  const added = JSON.parse(statsJson(undefined, sum));
  assert.deepEqual([added.file, added.files, added.records, added.events], [null, 2, 87, 58]);
  assert.equal(added.protocols.tcp, 48 + 24);
});

test('damage is counted, and costs its block alone', async (t) => {
  const file = join(temporaryDirectory(t), 'a.ct');
  const pieces = piecesOf(writeSound(file));
  const sound = (await statsOf(file)).stats;
  assert.deepEqual([sound.damaged, sound.blocks], [0, DATA_BLOCKS.length]);
  writeFileSync(file, Buffer.concat(pieces.toSpliced(4, 1).map(({ bytes }) => bytes)));
  const { stats } = await statsOf(file);
  assert.deepEqual([stats.damaged, stats.blocks, stats.records], [1, 4, sound.records]);
  writeFileSync(file, Buffer.concat(pieces.toSpliced(3, 0, pieces[3]).map(({ bytes }) => bytes)));
  assert.deepEqual((await statsOf(file)).stats.records, sound.records);
  writeFileSync(file, gzipSync(readFileSync(GOLDEN)).subarray(0, -400));
  assert.ok((await statsOf(file)).stats.damaged > 0);
});

test('a live file is found by its name, and is no damage', async (t) => {
  const file = join(temporaryDirectory(t), 'a.ct');
  const pieces = piecesOf(writeSound(file));
  const live = join(temporaryDirectory(t), 'b.ct');
  writeFileSync(`${live}.part`, Buffer.concat(pieces.slice(0, -2).map(({ bytes }) => bytes)));
  const { json, said } = await statsOf(live);
  assert.deepEqual([json.file, json.closed, json.damaged], [`${live}.part`, false, 0]);
  assert.deepEqual(said, [`${live}: is still being written; reading ${live}.part`]);
});

test('files that cannot be read are said, the others are counted', async () => {
  const found = await collect(['/nonexistent', GOLDEN, import.meta.filename]);
  assert.deepEqual(
    found.map((one) => 'failure' in one),
    [true, false, true],
  );
});

test('text: what there is, aligned, and nothing that is zero', async (t) => {
  const file = writeEveryKind(t);
  const { stats } = await statsOf(file);
  const [found] = await collect([file]);
  assert.ok('header' in found);
  const { size } = statSync(file);
  assert.deepEqual(statsLines(found, stats, new TimeWriter(utcZone)), [
    file,
    '  format        3.0',
    '  time          2026.11.23 04:50:43.000001 to 2026.11.23 04:50:43.000016',
    '  events        3 (2 starts, 1 end)',
    '  snapshots     3',
    '  derived       1 start and 2 ends without an event',
    '  lost          4 gaps: at most 19 events lost, and an unknown number in 1 of them',
    `  size          ${size} bytes in 6 blocks, ${Math.round((size / 3) * 100) / 100} bytes per event`,
    '  protocols     tcp 9, udp 1',
    '  time sources  event 10',
    '  damage        none',
  ]);
});
