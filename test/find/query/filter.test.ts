import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { UsageError } from '../../../src/base/errors.js';
import { RowFilter } from '../../../src/find/query/filter.js';
import { batchOf } from '../helpers.js';

/** A port, or the first and the last. */
type Ports = number | readonly [first: number, last: number];

function picked(networks: string[], ports: Ports[], batch: ReturnType<typeof batchOf>): number[] {
  const filter = new RowFilter(
    networks,
    ports.map((port) => {
      const [first, last] = typeof port === 'number' ? [port, port] : port;
      return { first, last };
    }),
  );
  return [
    ...filter.rows.subarray(0, 0),
    ...Array.from({ length: filter.select(batch) }, (_, i) => filter.rows[i]),
  ];
}

const batch = batchOf([
  { timeUs: 1, src: '10.0.0.1', sport: 5000, dst: '192.0.2.1', dport: 80 },
  { timeUs: 2, src: '10.1.0.1', sport: 5001, dst: '192.0.2.2', dport: 443, replyDport: 61000 },
  { timeUs: 3, src: '2001:db8::1', sport: 5002, dst: '2001:db8:1::2', dport: 80 },
  { timeUs: 4, proto: 1, src: '10.0.0.1', sport: 80, dst: '192.0.2.1', dport: 0x0800 },
]);

test('any of the four addresses, any of the four ports', () => {
  assert.deepEqual(picked([], [], batch), [0, 1, 2, 3]);
  assert.deepEqual(picked(['10.0.0.0/16'], [], batch), [0, 3]);
  assert.deepEqual(picked(['203.0.113.1'], [], batch), [0, 1, 3]);
  assert.deepEqual(picked(['192.0.2.2/32', '2001:db8::/48'], [], batch), [1, 2]);
  assert.deepEqual(picked(['10.9.9.9/8'], [], batch), [0, 1, 3]);
  assert.deepEqual(picked(['0.0.0.0/0'], [], batch), [0, 1, 3]);
  assert.deepEqual(picked(['::/0'], [], batch), [2]);
  assert.deepEqual(picked([], [61000], batch), [1]);
  assert.deepEqual(picked([], [[60999, 61000]], batch), [1]);
  assert.deepEqual(picked([], [[5001, 5002]], batch), [1, 2]);
  assert.deepEqual(picked([], [[5003, 60999], 5000], batch), [0]);
  assert.deepEqual(picked([], [[0, 65535]], batch), [0, 1, 2]);
  assert.deepEqual(picked(['10.0.0.1'], [80], batch), [0], 'an ICMP id is no port');
  assert.deepEqual(picked(['10.0.0.1'], [443], batch), []);
  assert.deepEqual(picked(['198.51.100.1'], [], batch), []);
});

test('networks agree with ipaddr.js', () => {
  const prefixed = fc.tuple(
    fc.ipV6(),
    fc.integer({ min: 0, max: 128 }),
    fc.ipV6(),
    fc.integer({ min: 0, max: 128 }),
  );
  fc.assert(
    fc.property(prefixed, ([base, prefixBits, other, sharedBits]) => {
      // Share a prefix with the network in half of the cases, or nothing would ever match.
      const bytes = ipaddr.parse(other).toByteArray();
      const baseBytes = ipaddr.parse(base).toByteArray();
      for (let i = 0; i < sharedBits >> 3; i++) bytes[i] = baseBytes[i];
      const address = ipaddr.fromByteArray(bytes);
      const text = address.toNormalizedString();
      const row = batchOf([{ timeUs: 1, src: text, dst: text, replySrc: text, replyDst: text }]);
      const parsed = ipaddr.parse(base) as ipaddr.IPv6;
      const expected = (address as ipaddr.IPv6).match(parsed, prefixBits) ? [0] : [];
      assert.deepEqual(picked([`${parsed.toNormalizedString()}/${prefixBits}`], [], row), expected);
    }),
  );
});

test('what is no network or port is refused in one line', () => {
  for (const text of [
    '300.1.1.1',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.1',
    '010.0.0.1',
    'host',
    '',
    '::/129',
    'fe80::1%eth0',
    '10.0.0.0/8x',
  ])
    assert.throws(
      () => new RowFilter([text], []),
      (error) => error instanceof UsageError && !error.message.includes('\n') && error.message.includes(text),
      text,
    );
  for (const port of [-1, 65536, 1.5, Number.NaN])
    assert.throws(() => new RowFilter([], [{ first: port, last: port }]), UsageError);
});
