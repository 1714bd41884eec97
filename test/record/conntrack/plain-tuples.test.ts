/** The fast path takes what it knows and nothing else, and reads what the general walk reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AF_INET, AF_INET6 } from '../../../src/event/batch.js';
import { Context } from '../../../src/record/conntrack/attributes.js';
import { plainTuplesBytes } from '../../../src/record/conntrack/plain-event.js';
import { PLAIN_TUPLES_BYTES } from '../../../src/record/conntrack/plain-tuples.js';
import { PLAIN_TUPLES6_BYTES } from '../../../src/record/conntrack/plain-tuples6.js';
import { decode } from './decoded.js';
import { encodeAttributes, encodeMessage, HEADER_BYTES, type Node } from './encode-message.js';
import { events, messageOf, nodesOf, protocolsWithPorts, rowFor } from './events.js';

/** Bytes of both tuples, and where the headers and the protocol number stand in the first. */
const families = {
  IPv4: {
    number: 4,
    family: AF_INET,
    bytes: PLAIN_TUPLES_BYTES,
    headers: [0, 4, 8, 16, 24, 28, 36, 44],
    proto: 32,
  },
  IPv6: {
    number: 6,
    family: AF_INET6,
    bytes: PLAIN_TUPLES6_BYTES,
    headers: [0, 4, 8, 28, 48, 52, 60, 68],
    proto: 56,
  },
} as const;

/** Bytes of the plain tuples at the message's beginning. */
function plainBytes(message: Uint8Array): number {
  const aligned = new Uint8Array((message.length + 3) & ~3);
  aligned.set(message);
  return plainTuplesBytes(new Uint32Array(aligned.buffer), HEADER_BYTES, message.length);
}

for (const [name, { number, family, bytes, headers, proto }] of Object.entries(families)) {
  const plainEvent = events([number], protocolsWithPorts, ['both']);

  test(`${name}: the row is the one that the walk gives`, () => {
    const unknown: Node = [0x2fff, new Uint8Array(5)];
    fc.assert(
      fc.property(plainEvent, (event) => {
        const message = messageOf(event);
        assert.equal(plainBytes(message), bytes);
        // Walked, and what is behind the tuples learned; then by the fast path.
        for (let i = 0; i < 2; i++) assert.deepEqual(decode(message).row, rowFor(event));
        const [orig, reply, ...rest] = nodesOf(event);
        const origWithoutFlag: Node = [1, encodeAttributes(orig[1] as Node[], Context.tupleOrig)];
        for (const nodes of [
          [unknown, orig, reply, ...rest],
          [reply, orig, ...rest],
          [orig, unknown, reply, ...rest],
          [...rest, orig, unknown, reply],
          [origWithoutFlag, reply, ...rest],
        ]) {
          const walked = encodeMessage(nodes, { type: message.readUInt16LE(4), family });
          assert.equal(plainBytes(walked), 0);
          assert.deepEqual(decode(walked).row, rowFor(event));
        }
      }),
      { numRuns: 300 },
    );
  });

  test(`${name}: whatever stands elsewhere than expected, or is cut, is refused`, () => {
    const [event] = fc.sample(plainEvent, 1);
    const message = messageOf(event);
    const checked = [...headers.flatMap((at) => [0, 1, 2, 3].map((i) => at + i)), proto];
    for (const at of checked.flatMap((at) => [at, at + bytes / 2]))
      for (let bit = 1; bit < 256; bit <<= 1) {
        const changed = Uint8Array.from(message);
        changed[HEADER_BYTES + at] ^= bit;
        assert.equal(plainBytes(changed), 0, `byte ${at} with bit ${bit}`);
      }
    assert.equal(plainBytes(message.subarray(0, HEADER_BYTES + bytes - 1)), 0);
  });
}
