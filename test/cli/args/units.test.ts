import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../../src/base/errors.js';
import {
  days,
  kibibytes,
  minutes,
  parseDuration,
  parseSeconds,
  parseSize,
  sizeText,
  timeText,
} from '../../../src/cli/args/units.js';

const parseMinutes = minutes({ min: 0, max: 100_000, examples: '60, 5m or 1h' });
const parseDays = days({ min: 1, max: 36_600, examples: '180 or 180d' });
const parseKiB = kibibytes({ min: 1, max: 2 ** 20 - 1, examples: '8192 or 8M' });

test('durations', () => {
  assert.equal(parseDuration('-x', '200ms'), 200);
  assert.equal(parseDuration('-x', '2s'), 2000);
  assert.equal(parseDuration('-x', '2sec'), 2000);
  assert.equal(parseDuration('-x', '1.5s'), 1500);
  assert.equal(parseDuration('-x', '5m'), 300_000);
  assert.equal(parseDuration('-x', '5min'), 300_000);
  assert.equal(parseDuration('-x', '1h'), 3_600_000);
  assert.equal(parseDuration('-x', '24d'), 24 * 86_400_000);
  for (const bad of ['', '5', '0s', '-1s', '25d', '1 s', '2S', '0.0001ms', '25000000m', '1e3s', 's'])
    assert.throws(() => parseDuration('-x', bad), UsageError, bad);
});

test('seconds: a bare number counts them', () => {
  assert.equal(parseSeconds('-x', '60'), 60_000);
  assert.equal(parseSeconds('-x', '5m'), 300_000);
  for (const bad of ['', '0', '-1', '1.5', '99999999999', 'soon'])
    assert.throws(() => parseSeconds('-x', bad), UsageError, bad);
});

test('minutes: a bare number counts them, and a time must be a whole number of them', () => {
  const good = { '0': 0, '60': 60, '5m': 5, '5min': 5, '1h': 60, '1.5h': 90, '120s': 2, '1d': 1440 };
  for (const [text, expected] of Object.entries(good)) assert.equal(parseMinutes('-x', text), expected, text);
  for (const bad of ['', '-1', '1.5', '90s', '30ms', '5M', 'hourly', '100001', '99w'])
    assert.throws(() => parseMinutes('-x', bad), UsageError, bad);
  assert.throws(
    () => parseMinutes('-t', '90s'),
    /^UsageError: -t 90s: not a whole number of minutes; give minutes from 0 to 100000, like 60, 5m or 1h$/,
  );
  assert.throws(
    () => parseMinutes('--rotate', 'hourly'),
    /^UsageError: --rotate hourly: give minutes from 0 /,
  );
});

test('days: a bare number counts them', () => {
  for (const [text, expected] of Object.entries({ '30': 30, '30d': 30, '2w': 14, '48h': 2 }))
    assert.equal(parseDays('-x', text), expected, text);
  for (const bad of ['', '0', '0d', '-1', '36h', '1.5d', '30D', 'month'])
    assert.throws(() => parseDays('-x', bad), UsageError, bad);
});

test('KiB: a bare number counts them', () => {
  for (const [text, expected] of Object.entries({
    '8192': 8192,
    '8M': 8192,
    '8MB': 8192,
    '64k': 64,
    '8MiB': 8192,
  }))
    assert.equal(parseKiB('-x', text), expected, text);
  for (const bad of ['', '0', '-1', '1.5M', '1G', '1500B', '99999999999', 'M', '8m3'])
    assert.throws(() => parseKiB('-x', bad), UsageError, bad);
  assert.throws(
    () => parseKiB('-b', '1500B'),
    /^UsageError: -b 1500B: not a whole number of KiB; give KiB from 1 /,
  );
});

test('sizes: every unit is a power of 1024', () => {
  assert.equal(parseSize('-x', '1000'), 1000);
  assert.equal(parseSize('-x', '1000B'), 1000);
  assert.equal(parseSize('-x', '64M'), 67_108_864);
  assert.equal(parseSize('-x', '64MB'), 67_108_864);
  assert.equal(parseSize('-x', '2g'), 2_147_483_648);
  for (const text of ['500G', '500GB', '500GiB', '500gib'])
    assert.equal(parseSize('-x', text), 500 * 2 ** 30, text);
  for (const bad of ['', '0', '-1', '1.5M', '64MBB', '64Mi', 'M', 'B', '5iB', '999999999999999T'])
    assert.throws(() => parseSize('-x', bad), UsageError, bad);
});

test('texts are what the parsers take', () => {
  assert.equal(timeText(30_000), '30s');
  assert.equal(timeText(200), '200ms');
  assert.equal(sizeText(64 * 2 ** 20), '64M');
  assert.equal(sizeText(1000), '1000');
  assert.equal(sizeText(0), '0');
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (ms) => parseDuration('-x', timeText(ms)) === ms),
  );
  fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (n) => parseSize('-x', sizeText(n)) === n));
});

test('any text gives a value or one printable line that names the option', () => {
  const parsers = [parseDuration, parseSeconds, parseSize, parseMinutes, parseDays, parseKiB];
  fc.assert(
    fc.property(fc.constantFrom(...parsers), fc.string({ unit: 'binary' }), (parse, text) => {
      try {
        parse('-x', text);
      } catch (error) {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, /^-x [^\p{Cc}]+$/u);
      }
    }),
  );
});
