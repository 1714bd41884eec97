import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { PACKING_SPARE_BYTES, packHuffman } from '../../../src/log/format/huffman.js';

const BEFORE_BYTES = 3;
/** What zlib makes of the same bytes differs by the lengths of a few codes and the end of a stream. */
const MARGIN_BYTES = 4;

/** Packs, unpacks with zlib, and compares with what zlib would have made; answers the packed length. */
function check(raw: Uint8Array): number {
  const inside = new Uint8Array(BEFORE_BYTES + raw.length + 1);
  inside.set(raw, BEFORE_BYTES);
  const room = raw.length + PACKING_SPARE_BYTES;
  const out = new Uint8Array(BEFORE_BYTES + room + BEFORE_BYTES).fill(0xaa);
  const length = packHuffman(inside, BEFORE_BYTES, BEFORE_BYTES + raw.length, out, BEFORE_BYTES);
  for (let i = 0; i < BEFORE_BYTES; i++) {
    assert.equal(out[i], 0xaa, 'written before its place');
    assert.equal(out[BEFORE_BYTES + room + i], 0xaa, 'written behind its room');
  }
  const byZlib = deflateRawSync(raw, { level: 1, strategy: constants.Z_HUFFMAN_ONLY }).length;
  if (length === 0) assert.ok(byZlib >= raw.length - MARGIN_BYTES, `zlib made ${byZlib} of ${raw.length}`);
  else {
    assert.ok(length < raw.length);
    assert.ok(length <= byZlib * 1.01 + MARGIN_BYTES, `${length} bytes, zlib ${byZlib}`);
    const back = inflateRawSync(out.subarray(BEFORE_BYTES, BEFORE_BYTES + length));
    assert.ok(Buffer.from(raw).equals(back), 'not the same bytes');
  }
  return length;
}

test('any bytes come back', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), (raw) => void check(raw)));
});

test('bytes of few and of many values, by weight, in one block and in several', () => {
  const weighted = fc.record({
    values: fc.uniqueArray(fc.nat(255), { minLength: 1, maxLength: 256 }),
    steepness: fc.double({ min: 0.3, max: 20, noNaN: true }),
    length: fc.oneof(fc.nat(300), fc.integer({ min: 16380, max: 16390 }), fc.nat(70000)),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(weighted, ({ values, steepness, length, seed }) => {
      let state = seed | 1;
      check(
        Uint8Array.from({ length }, () => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return values[Math.floor((state / 2 ** 32) ** steepness * values.length)];
        }),
      );
    }),
    { numRuns: 300 },
  );
});

test('codes that would be longer than 12 bits are cut', () => {
  // Weights like Fibonacci's numbers make the deepest tree: 20 of them are 17,710 bytes, and the first 16,384
  // still need 18 bits.
  const parts: number[] = [];
  for (let value = 0, a = 1, b = 1; parts.length < 16384; value++, [a, b] = [b, a + b])
    for (let i = 0; i < a && parts.length < 16384; i++) parts.push(value);
  assert.ok(check(Uint8Array.from(parts)) > 0);
});

test('one value, and none', () => {
  assert.ok(check(new Uint8Array(1000)) > 0);
  assert.equal(check(new Uint8Array(0)), 0);
  assert.equal(check(new Uint8Array(1)), 0);
});

test('what does not get shorter is refused', () => {
  assert.equal(check(Uint8Array.from({ length: 4096 }, (_, i) => i)), 0);
});
