/** Naps of the drain loop: what a buffer allows, and how they follow it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NapLength } from '../../../src/record/netlink/nap-length.js';

const BUFFER_EVENTS = 13_000; // of 8 MiB
const TARGET_FILL = 1 / 16;

/** Naps one after the other, with what the buffer was filled to in each. */
function naps(nap: NapLength, fills: readonly number[]): number[] {
  return fills.map((fill) => {
    nap.adapt(fill);
    return nap.us;
  });
}

test('without traffic a nap grows by half each time, as far as a sudden flood allows', () => {
  const silence = Array.from({ length: 20 }, () => 0);
  const grown = naps(new NapLength(BUFFER_EVENTS), silence);
  assert.deepEqual(grown.slice(0, 3), [1500, 2250, 3375]);
  const quarterFilledUs = (BUFFER_EVENTS / 4 / 300_000) * 1e6;
  assert.equal(grown[19], Math.round(quarterFilledUs));
  assert.equal(naps(new NapLength(100 * BUFFER_EVENTS), silence)[19], 20_000, 'never longer, whatever fits');
  assert.equal(naps(new NapLength(10), silence)[19], 1000, 'never shorter, however little fits');
});

test('under traffic a nap is what fills its share of the buffer, and shrinks at once', () => {
  const nap = new NapLength(BUFFER_EVENTS);
  assert.deepEqual(naps(nap, [TARGET_FILL / 1.2, TARGET_FILL, TARGET_FILL * 1.1]), [1200, 1200, 1091]);
  assert.equal(naps(nap, [0, 0, 0, 1]).at(-1), 1000, 'drops, or a full ring');
});

test('a nap of fixed length stays', () => {
  assert.deepEqual(naps(new NapLength(BUFFER_EVENTS, 7), [0, 1]), [7000, 7000]);
});
