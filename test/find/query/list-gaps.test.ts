import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RecordKind } from '../../../src/event/batch.js';
import { squeeze } from '../../../src/find/upkeep/squeeze.js';
import { LogFileWriter } from '../../../src/log/write/whole-file.js';
import { temporaryDirectory } from '../../lab/folder.js';
import { batchOf, listText, useZone } from '../helpers.js';

const TIME = 1_795_409_443_000_000;
const TCP = 'src=10.0.0.1:1000 dst=192.0.2.1:80 src=192.0.2.1:80 dst=203.0.113.1:1000';
const UDP = 'src=10.0.0.1:53 dst=192.0.2.1:80 src=192.0.2.1:80 dst=203.0.113.1:53';

/**
 * A file of several protocols: an entry that was open, a start, a gap of three, a UDP start, the end of the
 * first start.
 */
function write(t: TestContext): string {
  const file = join(temporaryDirectory(t), 'a.ct');
  const writer = LogFileWriter.create(file, {
    recorder: 'ctrecorder test',
    hostname: 'gw',
    bootId: '',
    runId: '0123456789abcdef',
    openedUs: TIME,
    timeZone: 'UTC',
    minutesWest: 0,
    dst: 0,
    utcOffsetSeconds: 0,
    protocols: [6, 17],
    template: '',
    squeezed: false,
  });
  writer.append(batchOf([{ kind: RecordKind.snapshot, timeUs: TIME + 1, sport: 999 }, { timeUs: TIME + 2 }]));
  writer.appendGap({ fromUs: TIME + 2, toUs: TIME + 10, lost: 3, certainty: 'exact', cause: 'overrun' });
  writer.append(
    batchOf([
      { timeUs: TIME + 11, sport: 53, proto: 17 },
      { kind: RecordKind.end, timeUs: TIME + 12 },
    ]),
  );
  writer.appendGap({ fromUs: TIME + 12, toUs: TIME + 13, lost: 0, certainty: 'unknown', cause: 'restart' });
  writer.close();
  return file;
}

test('lines carry the protocol; snapshots and gaps only when asked for; gaps are always summed up', async (t) => {
  useZone(t, 'UTC');
  const file = write(t);
  const lines = [
    `2026.11.23 04:50:43.000001 O  ${TCP.replaceAll(':1000', ':999')} proto=tcp`,
    `2026.11.23 04:50:43.000002 S  ${TCP} proto=tcp`,
    '# gap 2026.11.23 04:50:43.000002 2026.11.23 04:50:43.000010 lost=3 cause=overrun',
    `2026.11.23 04:50:43.000011 S  ${UDP} proto=udp`,
    `2026.11.23 04:50:43.000012 E  ${TCP} proto=tcp`,
    '# gap 2026.11.23 04:50:43.000012 2026.11.23 04:50:43.000013 lost=unknown cause=restart',
  ];
  const text = (wanted: string[]) => wanted.map((line) => `${line}\n`).join('');
  const plain = await listText(file, { noHeader: true });
  assert.equal(plain.stdout, text(lines.filter((line) => / [SE] /.test(line))));
  assert.equal(plain.stderr, `${file}: 2 gaps: 3 events lost, and an unknown number in 1 of them\n`);
  assert.deepEqual(plain.result, { listed: 3, gaps: 2, damaged: 0, exitCode: 0 });
  const all = await listText(file, { noHeader: true, showGaps: true, showSnapshots: true });
  assert.equal(all.stdout, text(lines));
});

test('with -s snapshots are starts, and JSON says which pairs span a gap', async (t) => {
  const { stdout } = await listText(write(t), {
    noHeader: true,
    squeeze: true,
    format: 'json',
    showGaps: true,
  });
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    rows.map((row) => [row.event, row.orig?.sport, row.startSeen, row.endSeen, row.spansGap]),
    [
      ['gap', undefined, undefined, undefined, undefined],
      ['connection', 1000, true, true, true],
      ['gap', undefined, undefined, undefined, undefined],
      ['connection', 999, false, false, true],
      ['connection', 53, true, false, true],
    ],
  );
});

test('squeezed, the file lists as it did with -s, gaps and all', async (t) => {
  useZone(t, 'UTC');
  const file = write(t);
  const output = `${file}.squeezed`;
  const { exitCode, connections, open, startUnseen } = await squeeze({ file, output });
  assert.deepEqual([exitCode, connections, open, startUnseen], [0, 3, 2, 1]);
  const expected = await listText(file, { noHeader: true, squeeze: true, showGaps: true });
  const squeezed = await listText(output, { noHeader: true, showGaps: true });
  assert.equal(squeezed.stdout, expected.stdout);
  assert.equal(squeezed.stderr.replace(output, file), expected.stderr);
});
