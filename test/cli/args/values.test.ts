import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../../src/base/errors.js';
import {
  parseChoice,
  parseDuration,
  parseFileMode,
  parseInteger,
  parsePercent,
  parsePorts,
  parseProtocols,
  parseSize,
} from '../../../src/cli/args/values.js';

test('durations', () => {
  assert.equal(parseDuration('-x', '200ms'), 200);
  assert.equal(parseDuration('-x', '2s'), 2000);
  assert.equal(parseDuration('-x', '1.5s'), 1500);
  assert.equal(parseDuration('-x', '5m'), 300_000);
  assert.equal(parseDuration('-x', '1h'), 3_600_000);
  for (const bad of ['', '5', '0s', '-1s', '1d', '1 s', '2S', '0.0001ms', '25000000m', '1e3s', 's'])
    assert.throws(() => parseDuration('-x', bad), UsageError, bad);
});

test('sizes', () => {
  assert.equal(parseSize('-x', '1000'), 1000);
  assert.equal(parseSize('-x', '64M'), 67_108_864);
  assert.equal(parseSize('-x', '2g'), 2_147_483_648);
  for (const bad of ['', '0', '-1', '1.5M', '64MB', 'M', '999999999999999T'])
    assert.throws(() => parseSize('-x', bad), UsageError, bad);
});

test('percentages', () => {
  assert.equal(parsePercent('-x', '80%'), 80);
  assert.equal(parsePercent('-x', '1'), 1);
  assert.equal(parsePercent('-x', '100%'), 100);
  for (const bad of ['', '%', '0%', '101%', '-1%', '80 %', '80%%', '0.5%', '8e1'])
    assert.throws(() => parsePercent('-x', bad), UsageError, bad);
});

test('file modes', () => {
  assert.equal(parseFileMode('-x', '0640'), 0o640);
  assert.equal(parseFileMode('-x', '600'), 0o600);
  assert.equal(parseFileMode('-x', '0664'), 0o664);
  for (const bad of [
    '',
    '0',
    '8',
    '0680',
    '640 ',
    '0x1a0',
    'u=rw',
    '0642',
    '0666',
    '0440',
    '0240',
    '0740',
    '04640',
    '01640',
  ])
    assert.throws(() => parseFileMode('-x', bad), UsageError, bad);
});

test('integers', () => {
  assert.equal(parseInteger('-x', '-20', -20, 19), -20);
  assert.equal(parseInteger('-x', '007', 0, 9), 7);
  for (const bad of ['', ' 1', '1.0', '0x1', '1e1', '+1', '10', '-1', '99999999999999999999', 'abc'])
    assert.throws(() => parseInteger('-x', bad, 0, 9), UsageError, bad);
});

test('protocols are sorted numbers, each once, or all', () => {
  assert.deepEqual(parseProtocols('-p', 'udp,tcp,6,17,132'), [6, 17, 132]);
  assert.deepEqual(parseProtocols('-p', '0'), [0]);
  assert.equal(parseProtocols('-p', 'ALL'), 'all');
  for (const bad of ['', 'nosuch', '256', '-1', 'tcp,', ',tcp', 'tcp udp', 'all,tcp'])
    assert.throws(() => parseProtocols('-p', bad), UsageError, bad);
});

test('ports', () => {
  assert.deepEqual(parsePorts('-p', '80,443,0,65535'), [80, 443, 0, 65535]);
  for (const bad of ['', '65536', '80,', 'http', '1-2'])
    assert.throws(() => parsePorts('-p', bad), UsageError, bad);
});

test('choices', () => {
  assert.equal(parseChoice('-x', 'b', ['a', 'b'] as const), 'b');
  assert.throws(() => parseChoice('-x', 'c', ['a', 'b']), /-x c: give one of a, b/);
});

test('any text gives a value or one printable line that names the option', () => {
  const parsers = [
    (text: string) => parseDuration('-x', text),
    (text: string) => parseFileMode('-x', text),
    (text: string) => parseSize('-x', text),
    (text: string) => parsePercent('-x', text),
    (text: string) => parseInteger('-x', text, 0, 9),
    (text: string) => parseProtocols('-x', text),
    (text: string) => parsePorts('-x', text),
  ];
  fc.assert(
    fc.property(fc.constantFrom(...parsers), fc.string({ unit: 'binary' }), (parse, text) => {
      try {
        parse(text);
      } catch (error) {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, /^-x [^\p{Cc}]+$/u);
      }
    }),
  );
});
