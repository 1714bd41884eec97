/** The fast path takes what it knows and nothing else, and reads what the general walk reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Context } from '../../src/conntrack/attributes.js';
import { arePlainTuples, PLAIN_TUPLES_BYTES } from '../../src/conntrack/plain-tuples.js';
import { decode } from './decoded.js';
import { encodeAttributes, encodeMessage, HEADER_BYTES, type Node } from './encode-message.js';
import { events, messageOf, nodesOf, protocolsWithPorts, rowFor } from './events.js';

const plainEvent = events([4], protocolsWithPorts, ['both']);

function isPlain(message: Uint8Array): boolean {
  const aligned = Uint8Array.from(message.subarray(0, HEADER_BYTES + PLAIN_TUPLES_BYTES));
  return arePlainTuples(new Uint32Array(aligned.buffer), HEADER_BYTES / 4);
}

test('the row is the one that the walk gives', () => {
  const unknown: Node = [0x2fff, new Uint8Array(5)];
  fc.assert(
    fc.property(plainEvent, (event) => {
      const message = messageOf(event);
      assert.ok(isPlain(message));
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
        const walked = encodeMessage(nodes, { type: message.readUInt16LE(4) });
        assert.ok(!isPlain(walked));
        assert.deepEqual(decode(walked).row, rowFor(event));
      }
    }),
    { numRuns: 300 },
  );
});

test('whatever stands elsewhere than expected is refused', () => {
  const [event] = fc.sample(plainEvent, 1);
  const message = messageOf(event);
  const tuple = { headers: [0, 4, 8, 16, 24, 28, 36, 44], numbers: [32] };
  const reply = PLAIN_TUPLES_BYTES / 2;
  const checked = [
    ...tuple.headers.flatMap((at) => [at, at + reply].flatMap((word) => [0, 1, 2, 3].map((i) => word + i))),
    ...tuple.numbers.flatMap((at) => [at, at + reply]),
  ];
  for (const at of checked)
    for (let bit = 1; bit < 256; bit <<= 1) {
      const changed = Uint8Array.from(message);
      changed[HEADER_BYTES + at] ^= bit;
      assert.ok(!isPlain(changed), `byte ${at} with bit ${bit}`);
    }
});
