/** The built program rotating in local time: replays in zones where that is not UTC. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../lab/folder.js';
import { captureFile, messages, packetsOf, pcap } from '../record/replay/captures.js';
import { linesOf, logged, run, WARN } from '../record/replay/program.js';

const HOUR_US = 3600e6;

interface Replayed {
  /** Names of files, and the UTC times of what is in them, as `12T05:30`: day, hour and minute. */
  readonly files: Record<string, string[]>;
  readonly warnings: string[];
}

/** Record events `everyUs` apart, in a zone. */
function replay(
  context: TestContext,
  { tz, from, count, everyUs }: { tz: string; from: string; count: number; everyUs: number },
  template: string,
  ...options: string[]
): Replayed {
  const packets = packetsOf(messages(count));
  const startUs = Date.parse(from) * 1000;
  const spread = packets.map(({ bytes }, i) => ({ timeUs: startUs + i * everyUs, bytes }));
  const capture = captureFile(context, pcap(spread));
  const folder = temporaryDirectory(context);
  const args = ['-C', '--replay', capture, '-p', 'all', '-f', join(folder, template), ...options];
  const { code, stderr } = run(args, { env: { ...process.env, TZ: tz } });
  assert.equal(code, 0, stderr);
  const time = (line: string) => `${line.slice(8, 10)}T${line.slice(11, 16)}`;
  const files = readdirSync(folder)
    .map((name): [string, string[]] => [name, linesOf(join(folder, name)).map(time)])
    .sort(([, [first]], [, [second]]) => (first < second ? -1 : 1));
  assert.equal(run(['-T', ...files.map(([name]) => join(folder, name))]).code, 0);
  return { files: Object.fromEntries(files), warnings: logged(stderr, WARN) };
}

describe('--rotate-local', () => {
  const newYork = { tz: 'America/New_York', from: '2026-11-10T14:00Z', count: 10, everyUs: 7 * HOUR_US };

  it('gives each local day a file of its name', (context) => {
    const { files, warnings } = replay(context, newYork, '%Y%m%d', '-t', '1440', '--rotate-local');
    assert.deepEqual(files, {
      20261110: ['10T14:00', '10T21:00', '11T04:00'],
      20261111: ['11T11:00', '11T18:00', '12T01:00'],
      20261112: ['12T08:00', '12T15:00', '12T22:00'],
      20261113: ['13T05:00'],
    });
    assert.deepEqual(warnings, []);
  });

  it('is what a start without it names, when names and boundaries disagree', (context) => {
    const { warnings } = replay(context, newYork, '%Y%m%d', '-t', '1440');
    assert.equal(warnings.filter((line) => line.includes('--rotate-local')).length, 1);
    assert.match(
      warnings[0],
      /^-t 1440 counts in UTC, so the file due at 2026-11-10 19:00 local time .*%Y%m%d/,
    );
  });

  const autumn = { tz: 'Europe/Warsaw', from: '2026-10-24T23:10Z', count: 8, everyUs: HOUR_US / 2 };

  it('gives the hour that comes twice a file each time, numbered and told where names are the same', (context) => {
    const { files, warnings } = replay(context, autumn, '%Y%m%d-%H', '-t', '60', '--rotate-local');
    assert.deepEqual(files, {
      '20261025-01': ['24T23:10', '24T23:40'],
      '20261025-02': ['25T00:10', '25T00:40'],
      '20261025-02.1': ['25T01:10', '25T01:40'],
      '20261025-03': ['25T02:10', '25T02:40'],
    });
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0],
      /20261025-02 is there already, since local clocks show this time twice: .*-02\.1;/,
    );
  });

  it('numbers each part of that hour', (context) => {
    const halves = { ...autumn, from: '2026-10-25T00:00Z', count: 5 };
    const { files, warnings } = replay(context, halves, '%H%M', '-t', '30', '--rotate-local');
    assert.deepEqual(files, {
      '0200': ['25T00:00'],
      '0200.1': ['25T01:00'],
      '0230': ['25T00:30'],
      '0230.1': ['25T01:30'],
      '0300': ['25T02:00'],
    });
    assert.equal(warnings.length, 2);
  });

  it('needs no number where the name tells the two hours apart', (context) => {
    const { files, warnings } = replay(context, autumn, '%H%z', '-t', '60', '--rotate-local');
    assert.deepEqual(Object.keys(files).sort(), ['01+0200', '02+0100', '02+0200', '03+0100']);
    assert.deepEqual(warnings, []);
  });

  it('does not split the day of 25 hours, nor a file whose name is too coarse', (context) => {
    const daily = { ...autumn, from: '2026-10-24T22:00Z', count: 26, everyUs: HOUR_US };
    const { files } = replay(context, daily, '%Y%m%d', '-t', '1440', '--rotate-local');
    assert.deepEqual(
      Object.entries(files).map(([name, lines]) => [name, lines.length]),
      [
        ['20261025', 25],
        ['20261026', 1],
      ],
    );
    const { files: coarse, warnings } = replay(context, autumn, '%Y%m%d', '-t', '60', '--rotate-local');
    assert.deepEqual(Object.keys(coarse), ['20261025']);
    assert.equal(
      warnings.filter((line) => line.includes('the template gives the same name again')).length,
      1,
    );
  });

  it('refuses an interval that does not divide a day, and one that is not given', () => {
    for (const [interval, said] of [
      [['-t', '100'], /-t 100 with --rotate-local: .*divisor of 1440/],
      [[], /--rotate-local needs an interval: add -t MINUTES/],
    ] as const) {
      const { code, stdout, stderr } = run(['-C', '-f', 'x', '--replay', 'y', '--rotate-local', ...interval]);
      assert.equal(code, 2, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, said);
      assert.equal(stderr.trim().split('\n').length, 1, stderr);
    }
  });
});
