/**
 * Learned layouts: what is read by jumping is what the walk reads, also when a message only nearly has the
 * layout.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plainTuplesBytes } from '../../../src/record/conntrack/plain-event.js';
import { decode } from './decoded.js';
import { HEADER_BYTES } from './encode-message.js';
import { events, messageOf, protocolsWithPorts, rowFor } from './events.js';
import { goldenMessages } from './goldens.js';

const plainEvent = events([4, 6], protocolsWithPorts, ['both']);

/** Bytes of the plain tuples at the message's beginning. */
function plainBytes(message: Uint8Array): number {
  return plainTuplesBytes(new Uint32Array(Uint8Array.from(message).buffer), HEADER_BYTES, message.length);
}

const plainGoldens = goldenMessages.filter((message) => plainBytes(message) > 0);

/** The same message with the reply tuple first: no fast path takes it. */
function walked(message: Uint8Array, tuplesBytes: number): Uint8Array {
  const swapped = Uint8Array.from(message);
  const reply = HEADER_BYTES + tuplesBytes / 2;
  const end = HEADER_BYTES + tuplesBytes;
  swapped.set(message.subarray(reply, end), HEADER_BYTES);
  swapped.set(message.subarray(HEADER_BYTES, reply), reply);
  return swapped;
}

test('events of one layout, one after the other', () => {
  fc.assert(
    fc.property(plainEvent, fc.array(plainEvent, { minLength: 1, maxLength: 4 }), (event, others) => {
      // Twice: the first is walked and learned, the second is read by its shape unless another one took the
      // place.
      for (const one of [event, event, ...others, event])
        assert.deepEqual(decode(messageOf(one)).row, rowFor(one));
    }),
    { numRuns: 150 },
  );
});

test('any byte changed behind the tuples: as the walk reads it', () => {
  assert.ok(plainGoldens.length >= 6);
  for (const golden of plainGoldens) {
    const tuplesBytes = plainBytes(golden);
    for (let at = HEADER_BYTES + tuplesBytes; at < golden.length; at++)
      for (let bit = 1; bit < 256; bit <<= 1) {
        decode(golden);
        const changed = Uint8Array.from(golden);
        changed[at] ^= bit;
        assert.deepEqual(decode(changed), decode(walked(changed, tuplesBytes)), `byte ${at} with bit ${bit}`);
      }
  }
});
