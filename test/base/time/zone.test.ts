import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { UsageError } from '../../../src/base/errors.js';
import { TimeWriter } from '../../../src/base/time/time-text.js';
import { localZone } from '../../../src/base/time/zone.js';
import { useZone } from '../../find/helpers.js';

/**
 * Around the changes of 2026 in Europe (29 March, 25 October 01:00 UTC), the USA and Australia, and odd
 * places.
 */
const seconds = [
  0, 1, 951_782_399, 951_782_400, 1_772_954_999, 1_772_955_000, 1_774_745_999, 1_774_746_000, 1_774_749_600,
  1_775_318_399, 1_775_318_400, 1_777_777_777, 1_792_889_999, 1_792_890_000, 1_793_512_799, 1_793_512_800,
  1_790_956_800, 1_790_953_199, 1_798_761_599, 1_798_761_600, 1_785_999_999, 4_102_444_799,
];

function fromDate(tz: string): string[] {
  return execFileSync('date', ['-f', '-', '+%Y.%m.%d %H:%M:%S'], {
    env: { ...process.env, TZ: tz },
    input: seconds.map((second) => `@${second}`).join('\n'),
    encoding: 'utf8',
  })
    .trim()
    .split('\n');
}

const zones = [
  'UTC',
  '',
  'Europe/Warsaw',
  ':Europe/Warsaw',
  'America/New_York',
  'America/St_Johns',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Africa/Abidjan',
  'EST5EDT',
  'CET-1CEST,M3.5.0,M10.5.0/3',
  'EST5EDT,M3.2.0,M11.1.0',
  'AEST-10AEDT,M10.1.0,M4.1.0/3',
  '<+0330>-3:30',
  '<-03>3',
  'XYZ-5:45:30',
  'AAA3BBB,J60/0,J300/-2',
  'AAA-2BBB-4,59,299/26:30',
  'GMT+5',
];

for (const tz of zones)
  test(`TZ=${tz} agrees with date`, (t) => {
    const expected = fromDate(tz);
    useZone(t, tz);
    const times = new TimeWriter(localZone());
    assert.deepEqual(
      seconds.map((second) => times.text(second * 1e6)),
      expected.map((text) => `${text}.000000`),
    );
  });

test('TZ=:/etc/localtime is the zone of the machine', (t) => {
  useZone(t, ':/etc/localtime');
  const expected = fromDate(':/etc/localtime');
  const times = new TimeWriter(localZone());
  assert.equal(process.env.TZ, undefined);
  assert.deepEqual(
    seconds.map((second) => times.text(second * 1e6)),
    expected.map((text) => `${text}.000000`),
  );
});

test('what is no time zone is refused', () => {
  for (const tz of [
    'Nonsense/Zone',
    'CET-1CEST,M13.5.0,M10.5.0',
    '+02:00',
    'Europe/Warsow',
    'EST'.repeat(40),
  ])
    assert.throws(() => localZone(tz), UsageError, tz);
});

test('microseconds are printed with all their digits', () => {
  const times = new TimeWriter(localZone('UTC'));
  assert.equal(times.text(1_795_409_443_000_007), '2026.11.23 04:50:43.000007');
  assert.equal(times.text(1_795_409_443_727_654), '2026.11.23 04:50:43.727654');
  assert.equal(times.text(1_795_409_442_999_999), '2026.11.23 04:50:42.999999');
});
