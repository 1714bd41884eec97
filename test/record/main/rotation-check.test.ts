import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defaultRecorderOptions, type RecorderOptions } from '../../../src/record/main/options.js';
import { misplacedRotation } from '../../../src/record/main/rotation-check.js';

const openedUs = Date.parse('2026-11-10T14:00:00Z') * 1000;

// Run as a program: prints the messages in the zone of its environment, to options given as JSON.
if (process.argv[2] === '--check') {
  const given = JSON.parse(process.argv[3]) as Partial<RecorderOptions>;
  const options = { ...defaultRecorderOptions, fileTemplate: '', ...given };
  console.log(misplacedRotation(options, openedUs) ?? '');
  process.exit(0);
}

function said(tz: string, options: Partial<RecorderOptions>): string {
  const args = [fileURLToPath(import.meta.url), '--check', JSON.stringify(options)];
  return execFileSync(process.execPath, args, { env: { ...process.env, TZ: tz }, encoding: 'utf8' }).trim();
}

const cases: [what: string, tz: string, template: string, minutes: number, dueLocal: string | undefined][] = [
  ['days in New York', 'America/New_York', '%Y%m%d.ct', 1440, '2026-11-10 19:00'],
  ['days in New York, in directories', 'America/New_York', '%Y/%m/%d/ct', 1440, '2026-11-10 19:00'],
  ['days in London: from spring on', 'Europe/London', '%Y%m%d.ct', 1440, '2027-03-29 01:00'],
  ['hours in India', 'Asia/Kolkata', '%Y%m%d-%H.ct', 60, '2026-11-10 20:30'],
  ['names with minutes say it themselves', 'America/New_York', '%Y%m%d-%H%M.ct', 1440, undefined],
  ['hours in New York', 'America/New_York', '%Y%m%d-%H.ct', 60, undefined],
  ['days in UTC', 'UTC', '%Y%m%d.ct', 1440, undefined],
  ['names of days with hourly rotation', 'Asia/Kolkata', '%Y%m%d.ct', 60, undefined],
  ['no rotation', 'America/New_York', '%Y%m%d.ct', 0, undefined],
  ['intervals that no option brings to midnight', 'America/New_York', '%Y%m%d.ct', 2880, undefined],
  ['a name that does not change', 'America/New_York', 'nat.ct', 1440, undefined],
];

for (const [what, tz, fileTemplate, rotateMinutes, due] of cases)
  test(`${what}: ${due === undefined ? 'nothing is said' : 'the first such boundary is told'}`, () => {
    const line = said(tz, { fileTemplate, rotateMinutes });
    if (due === undefined) assert.equal(line, '');
    else {
      assert.ok(
        line.includes(`-t ${rotateMinutes} counts in UTC, so the file due at ${due} local time`),
        line,
      );
      assert.ok(line.includes(fileTemplate) && line.includes('--rotate-local') && !line.includes('\n'), line);
    }
    assert.equal(said(tz, { fileTemplate, rotateMinutes, rotateLocal: true }), '');
  });
