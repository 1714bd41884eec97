/** The table of columns has no two that claim the same place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Column, EventBatch } from '../../src/event/batch.js';
import { columnEntries, columns } from '../../src/event/columns.js';

const CLASS_WORDS = 4;

test('a batch has an array for each column, of all its rows', () => {
  const batch = new EventBatch(3);
  for (const [name, { array, elements = 1 }] of columnEntries) {
    assert.ok(batch[name] instanceof array, name);
    assert.equal(batch[name].length, 3 * elements, name);
  }
});

test('each optional column has a bit of `present`, which only a companion shares', () => {
  const owners = new Map<number, string>();
  for (const [name, bit] of Object.entries(Column)) {
    assert.ok(bit > 0 && Number.isInteger(Math.log2(bit)), name);
    const owner = owners.get(bit);
    if (owner === undefined) owners.set(bit, name);
    else assert.equal(columns[name as 'zoneDirection'].presentWith, owner);
  }
  assert.deepEqual(
    Object.keys(Column),
    columnEntries.filter(([, { optional }]) => optional).map(([name]) => name),
  );
});

test('no bit of a class is claimed twice, none of its first word is left', () => {
  const claimed = new Set<string>();
  const claim = (name: string, word: number, bit: number) => {
    const place = `word ${word} bit ${bit}`;
    assert.ok(word < CLASS_WORDS && bit < 32 && !claimed.has(place), `${name}: ${place}`);
    claimed.add(place);
  };
  for (const [name, { classBits, section }] of columnEntries) {
    if (classBits !== undefined)
      for (let i = 0; i < classBits.bits; i++) claim(name, classBits.word, classBits.shift + i);
    if (section !== undefined && 'rowBit' in section) claim(name, 0, section.rowBit);
  }
  assert.equal([...claimed].filter((place) => place.startsWith('word 0 ')).length, 32);
});
