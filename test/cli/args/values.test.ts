import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../../src/base/errors.js';
import {
  choice,
  fileModeText,
  integer,
  parseFileMode,
  parseNetworks,
  parsePercent,
  parsePorts,
  parseProtocols,
  text,
} from '../../../src/cli/args/values.js';

const digit = integer({ what: 'a number of things', min: 0, max: 9, example: 5 });

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
  assert.equal(fileModeText(0o640), '0640');
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
  assert.equal(integer({ what: 'a nice value', min: -20, max: 19, example: -5 })('-x', '-20'), -20);
  assert.equal(digit('-x', '007'), 7);
  for (const bad of ['', ' 1', '1.0', '0x1', '1e1', '+1', '10', '-1', '99999999999999999999', 'abc'])
    assert.throws(() => digit('-x', bad), UsageError, bad);
  assert.throws(
    () => digit('-x', 'abc'),
    /^UsageError: -x abc: give a number of things from 0 to 9, like 5$/,
  );
});

test('texts', () => {
  assert.equal(text('a file')('-x', 'a b'), 'a b');
  assert.throws(() => text('a file')('-x', ''), /^UsageError: -x: the value is empty; give a file$/);
});

test('protocols are sorted numbers, each once, or all', () => {
  assert.deepEqual(parseProtocols('-p', 'udp,tcp,6,17,132'), [6, 17, 132]);
  assert.deepEqual(parseProtocols('-p', '0'), [0]);
  assert.equal(parseProtocols('-p', 'ALL'), 'all');
  for (const bad of ['', 'nosuch', '256', '-1', 'tcp,', ',tcp', 'tcp udp', 'all,tcp'])
    assert.throws(() => parseProtocols('-p', bad), UsageError, bad);
  assert.throws(
    () => parseProtocols('-p', 'tcp,upd'),
    /-p tcp,upd: upd is not a protocol; did you mean udp\?$/,
  );
  assert.throws(
    () => parseProtocols('-p', '300'),
    /300 is not a protocol; give names or numbers, like tcp,udp/,
  );
});

test('ports: numbers, ranges and services', () => {
  const port = (first: number, last = first) => ({ first, last });
  assert.deepEqual(parsePorts('-p', '80,443,0,65535'), [port(80), port(443), port(0), port(65535)]);
  assert.deepEqual(parsePorts('-p', '1000-2000,7-7,0-65535'), [port(1000, 2000), port(7), port(0, 65535)]);
  assert.deepEqual(
    parsePorts('-p', 'http,HTTPS,ssh,domain,ftp-data'),
    [80, 443, 22, 53, 20].map((n) => port(n)),
  );
  for (const bad of ['', '65536', '80,', '-1', '2-1', '1-65536', '1-', '-', '1-2-3', '1 - 2', 'http-https'])
    assert.throws(() => parsePorts('-p', bad), UsageError, bad);
  const refusals: readonly [string, RegExp][] = [
    ['htp', /^UsageError: -p htp: htp is not the name of a known service; did you mean http\?$/],
    ['22,domian', /-p 22,domian: domian is not .*; did you mean domain\?$/],
    ['tcp', /tcp is a protocol, not a port; give ports, like 443, 1000-2000 or https$/],
    ['65536', /65536 is not a port from 0 to 65535; give ports/],
    ['2000-1000', /2000-1000 is not a range from a lower to a higher port up to 65535; give ports/],
  ];
  for (const [bad, message] of refusals) assert.throws(() => parsePorts('-p', bad), message);
});

test('networks stay as they are typed, each checked', async () => {
  assert.deepEqual(await parseNetworks('-i', '10.0.0.0/8,::1'), ['10.0.0.0/8', '::1']);
  await assert.rejects(
    parseNetworks('--address', '10.0.0.1,300.1.1.1'),
    /^UsageError: --address 300\.1\.1\.1: not an address or a network; write it like 10\.0\.0\.0\/8 or 2001:db8::1$/,
  );
});

test('choices', () => {
  assert.equal(choice(['a', 'b'])('-x', 'b'), 'b');
  assert.throws(() => choice(['a', 'b'])('-x', 'c'), /-x c: give one of a, b$/);
});

test('any text gives a value or one printable line that names the option', () => {
  const parsers = [parseFileMode, parsePercent, digit, parseProtocols, parsePorts, choice(['a', 'b'])];
  fc.assert(
    fc.property(fc.constantFrom(...parsers), fc.string({ unit: 'binary' }), (parse, value) => {
      try {
        parse('-x', value);
      } catch (error) {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, /^-x [^\p{Cc}]+$/u);
      }
    }),
  );
});
