/** Every message of the kernel, and one with everything, cut at every byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decoded.js';
import { messageOf } from './events.js';
import { goldenMessages } from './goldens.js';
import { assertPartOf, icmpEnd, ipv6End, tcpEnd } from './samples.js';

const messages = [
  ...goldenMessages,
  ...[tcpEnd, icmpEnd, ipv6End].map((event) => Uint8Array.from(messageOf(event))),
];

/** Behind the cut stands the message's true rest, or bytes that mean something else. */
const poisons = (rest: Uint8Array) => [rest, rest.map((byte) => byte ^ 0xff), new Uint8Array(64)];

/**
 * Lengths of a datagram that is cut to `bytes`: in the slot, on its way, and with the header changed to
 * match.
 */
const cuts: Record<string, (message: Uint8Array, bytes: number) => [message: Uint8Array, slotBytes: number]> =
  {
    'by the slot': (message, bytes) => [message, bytes],
    'on its way': (message, bytes) => [message.slice(0, bytes), bytes],
    'and its header says so': (message, bytes) => {
      const shorter = Uint8Array.from(message.subarray(0, bytes));
      if (bytes >= 4) new DataView(shorter.buffer).setUint32(0, bytes, true);
      return [shorter, bytes];
    },
  };

for (const [how, cut] of Object.entries(cuts))
  test(`cut ${how}: what is recorded is true, nothing behind the cut shows`, () => {
    for (const whole of messages) {
      const { row: wholeRow, counters: wholeCounters } = decode(whole);
      for (let bytes = 0; bytes < whole.length; bytes++) {
        const [message, slotBytes] = cut(whole, bytes);
        const [decoded, ...others] = poisons(whole.subarray(bytes)).map((behind) =>
          decode(message, { slotBytes, behind }),
        );
        for (const other of others) assert.deepEqual(other, decoded, `${bytes} bytes`);
        const { row, counters } = decoded;
        const { starts, ends, updates, malformed, truncated, partial } = counters;
        assert.equal(starts + ends + updates + malformed, 1);
        assert.equal(truncated, how === 'by the slot' ? 1 : 0);
        if (updates > 0) assert.equal(wholeCounters.updates, 1);
        if (row === undefined) continue;
        assertPartOf(row, wholeRow!, `${bytes} of ${whole.length} bytes`);
        assert.equal(partial, row.partial ? 1 : 0);
        if (how !== 'and its header says so') assert.ok(row.partial);
      }
    }
  });
