import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AddressTable4, AddressTable6 } from '../../src/event/addresses.js';

/** Both tables as one: an address is its words, most significant first. */
interface Table {
  intern(words: readonly number[]): number;
  append(words: readonly number[]): number;
  at(index: number): number[];
  count(): number;
  clear(): void;
}

function table4(): Table {
  const table = new AddressTable4();
  return {
    intern: ([a]) => table.intern(a),
    append: ([a]) => table.append(a),
    at: (index) => [table.values[index]],
    count: () => table.count,
    clear: () => table.clear(),
  };
}

function table6(): Table {
  const table = new AddressTable6();
  return {
    intern: ([a, b, c, d]) => table.intern(a, b, c, d),
    append: ([a, b, c, d]) => table.append(a, b, c, d),
    at: (index) => [...table.words.subarray(index * 4, index * 4 + 4)],
    count: () => table.count,
    clear: () => table.clear(),
  };
}

/** A few words make many repeats, and addresses that differ in one word only. */
const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 0x80000000, 0xffffffff, 0x9e3779b1),
  fc.integer({ min: 0, max: 0xffffffff }),
);

/** More than the 4096 that fit at first, and than twice that. */
const MANY = 10_000;

for (const [name, create, words] of [
  ['AddressTable4', table4, 1],
  ['AddressTable6', table6, 4],
] as const) {
  /** Address i of many, all different: counts up in the first word, in the last, or everywhere. */
  const nth = (i: number, place: number): number[] =>
    Array.from({ length: words }, (_, w) => (place === w || place === words ? i : 7) >>> 0);

  describe(name, () => {
    it('gives the same index to the same address only, in order of first appearance', () => {
      fc.assert(
        fc.property(fc.array(fc.array(word, { minLength: words, maxLength: words })), (addresses) => {
          const table = create();
          const indexes = new Map<string, number>([[Array(words).fill(0).join(), 0]]);
          for (const address of addresses) {
            const key = address.join();
            if (!indexes.has(key)) indexes.set(key, indexes.size);
            assert.equal(table.intern(address), indexes.get(key));
          }
          assert.equal(table.count(), indexes.size);
          for (const [key, index] of indexes) assert.equal(table.at(index).join(), key);
        }),
      );
    });

    it('keeps index 0 for the address of zeros', () => {
      const table = create();
      assert.equal(table.intern(Array(words).fill(0)), 0);
      assert.equal(table.count(), 1);
      assert.deepEqual(table.at(0), Array(words).fill(0));
    });

    for (let place = 0; place <= words; place++)
      it(`grows and keeps every index (counting in word ${place < words ? place : 'all'})`, () => {
        const table = create();
        for (let i = 1; i <= MANY; i++) assert.equal(table.intern(nth(i, place)), i);
        for (let i = 1; i <= MANY; i++) assert.equal(table.intern(nth(i, place)), i);
        assert.equal(table.count(), MANY + 1);
        for (let i = 1; i <= MANY; i++) assert.deepEqual(table.at(i), nth(i, place));
      });

    it('is empty after clear, at its grown size too', () => {
      const table = create();
      for (const count of [10, MANY, 10]) {
        for (let i = 1; i <= count; i++) assert.equal(table.intern(nth(count + i, 0)), i);
        table.clear();
        assert.equal(table.count(), 1);
        assert.equal(table.intern(nth(count + 5, 0)), 1);
        table.clear();
      }
    });

    it('appends what a reader knows to be new, growing', () => {
      const table = create();
      for (let i = 1; i <= MANY; i++) assert.equal(table.append(nth(i, 0)), i);
      for (let i = 1; i <= MANY; i++) assert.deepEqual(table.at(i), nth(i, 0));
      table.clear();
      assert.equal(table.intern(nth(3, 0)), 1);
    });
  });
}
