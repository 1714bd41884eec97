import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../../src/base/errors.js';
import { checkLocalRotation, nextBoundaryUs, shownBeforeSeconds } from '../../../src/base/time/boundaries.js';
import { localZone } from '../../../src/base/time/zone.js';
import { useZone } from '../../find/helpers.js';

const DAY_MINUTES = 1440;
const DIVISORS = Array.from({ length: DAY_MINUTES }, (_, i) => i + 1).filter((n) => DAY_MINUTES % n === 0);
const MINUTE_US = 60e6;

const seconds = (text: string) => Date.parse(text) / 1000;
const iso = (timeUs: number) => new Date(timeUs / 1000).toISOString().replace('.000Z', 'Z');

/** Boundaries of a zone from a time on and before another. */
function boundaries(tz: string, rotateMinutes: number, from: string, to: string): string[] {
  const zone = localZone(tz);
  const found: string[] = [];
  for (let timeUs = seconds(from) * 1e6 - 1; ; ) {
    timeUs = nextBoundaryUs(timeUs, rotateMinutes, zone);
    if (timeUs >= seconds(to) * 1e6) return found;
    found.push(iso(timeUs));
  }
}

test('in UTC rotation is due at multiples of the interval since the epoch', () => {
  const noonUs = seconds('2026-11-23T12:00:00Z') * 1e6;
  assert.equal(nextBoundaryUs(noonUs, 60), noonUs + 3600e6);
  assert.equal(nextBoundaryUs(noonUs - 1, 60), noonUs);
  assert.equal(nextBoundaryUs(noonUs + 1, DAY_MINUTES), seconds('2026-11-24T00:00:00Z') * 1e6);
  assert.equal(nextBoundaryUs(7 * MINUTE_US, 7), 14 * MINUTE_US);
  assert.equal(nextBoundaryUs(noonUs, 0), Number.POSITIVE_INFINITY);
  const time = fc.integer({ min: 0, max: 4e15 });
  fc.assert(
    fc.property(time, fc.integer({ min: 1, max: 366 * DAY_MINUTES }), (timeUs, minutes) => {
      const intervalUs = minutes * MINUTE_US;
      assert.equal(nextBoundaryUs(timeUs, minutes), (Math.floor(timeUs / intervalUs) + 1) * intervalUs);
    }),
  );
});

const examples: [what: string, tz: string, minutes: number, from: string, to: string, expected: string[]][] =
  [
    [
      'a day of 23 hours',
      'Europe/Warsaw',
      1440,
      '2026-03-28T12:00Z',
      '2026-03-30T12:00Z',
      ['2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
    ],
    [
      'a day of 25 hours',
      'Europe/Warsaw',
      1440,
      '2026-10-24T12:00Z',
      '2026-10-26T12:00Z',
      ['2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
    ],
    [
      'the hour that comes twice is two intervals',
      'Europe/Warsaw',
      60,
      '2026-10-25T00:00Z',
      '2026-10-25T02:00:01Z',
      ['2026-10-25T00:00:00Z', '2026-10-25T01:00:00Z', '2026-10-25T02:00:00Z'],
    ],
    [
      'an interval that holds that hour is one of three hours',
      'Europe/Warsaw',
      120,
      '2026-10-25T00:00Z',
      '2026-10-25T04:00Z',
      ['2026-10-25T00:00:00Z', '2026-10-25T03:00:00Z'],
    ],
    [
      'the hour that does not exist',
      'America/New_York',
      60,
      '2026-03-08T06:00Z',
      '2026-03-08T08:00:01Z',
      ['2026-03-08T06:00:00Z', '2026-03-08T07:00:00Z', '2026-03-08T08:00:00Z'],
    ],
    [
      'a day that begins at 01:00',
      'America/Santiago',
      1440,
      '2026-09-05T12:00Z',
      '2026-09-07T12:00Z',
      ['2026-09-06T04:00:00Z', '2026-09-07T03:00:00Z'],
    ],
    [
      'midnight that comes twice begins one day',
      'America/Havana',
      1440,
      '2026-10-31T12:00Z',
      '2026-11-02T12:00Z',
      ['2026-11-01T04:00:00Z', '2026-11-02T05:00:00Z'],
    ],
    [
      'half an hour back: an hour of ninety minutes',
      'Australia/Lord_Howe',
      60,
      '2026-04-04T14:00Z',
      '2026-04-04T16:30Z',
      ['2026-04-04T14:00:00Z', '2026-04-04T15:30:00Z'],
    ],
    [
      'half an hour back: a half hour that comes twice',
      'Australia/Lord_Howe',
      30,
      '2026-04-04T14:00Z',
      '2026-04-04T16:00Z',
      ['2026-04-04T14:00:00Z', '2026-04-04T14:30:00Z', '2026-04-04T15:00:00Z', '2026-04-04T15:30:00Z'],
    ],
    [
      'a zone of three quarters of an hour',
      'Asia/Kathmandu',
      1440,
      '2026-11-23T00:00Z',
      '2026-11-24T00:00Z',
      ['2026-11-23T18:15:00Z'],
    ],
    [
      'a day that a country left out',
      'Pacific/Apia',
      1440,
      '2011-12-29T12:00Z',
      '2012-01-01T00:00Z',
      ['2011-12-30T10:00:00Z', '2011-12-31T10:00:00Z'],
    ],
    [
      'a POSIX string, over its change',
      'AEST-10AEDT,M10.1.0,M4.1.0/3',
      1440,
      '2026-10-03T00:00Z',
      '2026-10-05T00:00Z',
      ['2026-10-03T14:00:00Z', '2026-10-04T13:00:00Z'],
    ],
  ];

for (const [what, tz, minutes, from, to, expected] of examples)
  test(`${what} (${tz}, -t ${minutes})`, (t) => {
    useZone(t, tz);
    assert.deepEqual(boundaries(tz, minutes, from, to), expected);
  });

/** What clocks show, by ICU: minutes since 1970 as if the zone were UTC. */
function intlClock(timeZone: string): (minute: number) => number {
  const fields = {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  } as const;
  const format = new Intl.DateTimeFormat('en', { timeZone, hourCycle: 'h23', ...fields });
  return (minute) => {
    const parts = format.formatToParts(minute * 60_000);
    const field = (type: string) => Number(parts.find((part) => part.type === type)!.value);
    const utcMs = Date.UTC(field('year'), field('month') - 1, field('day'), field('hour'), field('minute'));
    return utcMs / 60_000;
  };
}

/** Minute by minute: the first one that shows another interval, or goes back by one or more. */
function walk(clock: (minute: number) => number, afterMinute: number, rotateMinutes: number): number {
  let before = clock(afterMinute);
  for (let minute = afterMinute + 1; ; minute++) {
    const shown = clock(minute);
    const isOther = Math.floor(shown / rotateMinutes) !== Math.floor(before / rotateMinutes);
    if (isOther || before + 1 - shown >= rotateMinutes) return minute;
    before = shown;
  }
}

/** Minutes at which a clock leaves its pace within a year, by halving between the first days of months. */
function changesOf(clock: (minute: number) => number, year: number): number[] {
  const offset = (minute: number) => clock(minute) - minute;
  const months = Array.from({ length: 13 }, (_, month) => Date.UTC(year, month) / 60_000);
  return months.slice(1).flatMap((end, i) => {
    let [low, high] = [months[i], end];
    if (offset(low) === offset(high)) return [];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offset(middle) === offset(high)) high = middle;
      else low = middle;
    }
    return [high];
  });
}

test('boundaries are those of a walk minute by minute, in every zone, mostly near changes', (t) => {
  useZone(t, 'UTC');
  const given = fc.record({
    tz: fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
    year: fc.integer({ min: 1975, max: 2037 }),
    rotateMinutes: fc.constantFrom(...DIVISORS, 60, DAY_MINUTES),
    change: fc.nat(3),
    minutesAway: fc.integer({ min: -1500, max: 1500 }),
    secondsPast: fc.constantFrom(0, 1e-6, 30, 59.999999),
  });
  fc.assert(
    fc.property(given, ({ tz, year, rotateMinutes, change, minutesAway, secondsPast }) => {
      const clock = intlClock(tz);
      const changes = changesOf(clock, year);
      const near =
        changes.length > 0 ? changes[change % changes.length] : Date.UTC(year, 5 + change) / 60_000;
      const minute = near + minutesAway;
      const timeUs = minute * MINUTE_US + Math.round(secondsPast * 1e6);
      const expected = walk(clock, minute, rotateMinutes);
      assert.equal(iso(nextBoundaryUs(timeUs, rotateMinutes, localZone(tz))), iso(expected * MINUTE_US));
    }),
    { numRuns: 300 },
  );
});

const zonesOfDate = [
  'UTC',
  'America/New_York',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'America/Santiago',
  'Africa/Casablanca',
  'Asia/Kolkata',
  'CET-1CEST,M3.5.0,M10.5.0/3',
  'XXX3YYY,M10.2.0/0,M2.3.0/0',
  '<+0330>-3:30',
  'AAA-2BBB-4,59,299/26:30',
];

/** What `date` shows. */
function shown(tz: string, format: string, times: readonly number[]): string[] {
  const input = times.map((second) => `@${second}`).join('\n');
  const env = { ...process.env, TZ: tz };
  return execFileSync('date', ['-f', '-', `+${format}`], { env, input, encoding: 'utf8' })
    .trim()
    .split('\n');
}

for (const tz of zonesOfDate)
  test(`by date, a year of TZ=${tz} has a file for each day, and each is whole`, (t) => {
    useZone(t, tz);
    const starts = boundaries(tz, DAY_MINUTES, '2026-01-02T00:00Z', '2027-01-03T00:00Z').map(seconds);
    const days = shown(tz, '%F', starts);
    const ends = starts.slice(1).map((second) => second - 1);
    assert.deepEqual(shown(tz, '%F', ends), days.slice(0, -1));
    assert.equal(new Set(days).size, days.length);
    assert.equal(days.length, 366);
  });

test('a time that clocks show for the second time is known as such', (t) => {
  useZone(t, 'Europe/Warsaw');
  const zone = localZone();
  const autumn = seconds('2026-10-25T01:00:00Z');
  for (const [second, expected] of [
    [autumn - 3600, 0],
    [autumn - 1, 0],
    [autumn, 3600],
    [autumn + 3599, 3600],
    [autumn + 3600, 0],
    [seconds('2026-03-29T01:30:00Z'), 0],
    [seconds('2026-07-01T00:00:00Z'), 0],
  ])
    assert.equal(shownBeforeSeconds(second, zone), expected, iso(second * 1e6));
});

test('an interval that does not divide a day is refused in one line', () => {
  for (const minutes of DIVISORS) checkLocalRotation(minutes);
  for (const minutes of [0, 7, 50, 1000, 2880])
    assert.throws(
      () => checkLocalRotation(minutes),
      (error) =>
        error instanceof UsageError && /--rotate-local/.test(error.message) && !/\n/.test(error.message),
    );
});
