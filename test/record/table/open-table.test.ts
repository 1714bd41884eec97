/** The set against a model: a list of entries per key, newest first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KEY4_WORDS, KEY6_WORDS } from '../../../src/event/key.js';
import { KeyedRows } from '../../../src/event/keyed-rows.js';
import { OpenTable } from '../../../src/record/table/open-table.js';

const NONE = -1;
const CAPACITY_FIRST = 4096;

class Modelled {
  readonly open: OpenTable;
  readonly rows: KeyedRows;
  readonly model = new Map<number, number[]>();

  constructor(keyWords: number) {
    this.open = new OpenTable(keyWords);
    this.rows = new KeyedRows(keyWords, 1);
  }

  /** The key of a name as the only row. */
  #load(name: number): void {
    const { rows } = this;
    rows.count = 1;
    // Names differ in the first word or in the last.
    rows.keys.fill(7);
    rows.keys[0] = name >>> 1;
    rows.keys[rows.keyWords - 1] = name & 1;
    rows.status[0] = name;
    rows.mark[0] = ~name;
    rows.timeSource[0] = name % 5;
    this.open.prefetch(rows);
    this.open.prefetchRecords(rows);
  }

  add(name: number): void {
    this.#load(name);
    const { open, rows } = this;
    rows.timeUs[0] = name * 1000;
    const entry = open.addRow(rows, 0);
    open.fill(entry, rows, 0, name & 0xff, name);
    open.setLastSeenUs(entry, name * 1000 + 1);
    this.model.set(name, [entry, ...(this.model.get(name) ?? [])]);
  }

  /** By entry, or by key as an event does it. */
  remove(name: number, byKey: boolean): void {
    const [entry, ...older] = this.model.get(name) ?? [];
    if (byKey) {
      this.#load(name);
      this.open.removeRow(this.rows, 0);
    } else if (entry !== undefined) this.open.remove(entry);
    this.model.set(name, older);
  }

  check(name: number): void {
    this.#load(name);
    const { open, rows } = this;
    const [expected = NONE] = this.model.get(name) ?? [];
    assert.equal(open.findRow(rows, 0), expected);
    if (expected === NONE) return;
    open.loadKey(expected);
    assert.equal(open.newest(), expected);
    assert.deepEqual(open.key, rows.keys);
    assert.equal(open.flags(expected), name & 0xff);
    assert.equal(open.status(expected), name);
    assert.equal(open.mark(expected), ~name >>> 0);
    assert.equal(open.timeSource(expected), name % 5);
    assert.ok(open.isOfAudit(expected, name));
    assert.ok(!open.isOfAudit(expected, name + 1));
    assert.ok(!open.isFromTable(expected) && !open.isGone(expected));
    assert.deepEqual([open.timeUs(expected), open.lastSeenUs(expected)], [name * 1000, name * 1000 + 1]);
  }

  checkAll(): void {
    for (const name of this.model.keys()) this.check(name);
    const all = [...this.model.values()].flat().sort((a, b) => a - b);
    assert.equal(this.open.count, all.length);
    const visited: number[] = [];
    this.open.forEach((entry) => {
      visited.push(entry);
    });
    assert.deepEqual(visited, all);
    const times: number[] = [];
    this.open.visit(this.open.sorted(), (entry) => times.push(this.open.timeUs(entry)));
    assert.equal(times.length, all.length);
    assert.ok(times.every((time, i) => i === 0 || times[i - 1] <= time));
  }
}

for (const [family, keyWords] of Object.entries({ IPv4: KEY4_WORDS, IPv6: KEY6_WORDS })) {
  test(`of what was added and not removed the newest is found: ${family}`, () => {
    const step = fc.record({ name: fc.nat(30), does: fc.constantFrom('adds', 'removes', 'ends') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const modelled = new Modelled(keyWords);
        for (const { name, does } of steps) {
          if (does === 'adds') modelled.add(name);
          else modelled.remove(name, does === 'ends');
          modelled.check(name);
        }
        modelled.checkAll();
      }),
      { numRuns: 100 },
    );
  });

  test(`while it grows, and empties, and fills again, also with several of one name: ${family}`, () => {
    const modelled = new Modelled(keyWords);
    const names = 3 * CAPACITY_FIRST;
    for (let name = 0; name < names; name++) modelled.add(name);
    for (let name = 0; name < names; name += 7) modelled.add(name);
    for (let name = 0; name < 10; name++) modelled.add(4711);
    modelled.checkAll();
    for (let name = 0; name < names; name += 2) modelled.remove(name, name % 4 === 0);
    modelled.checkAll();
    for (let name = 0; name < 2 * names; name += 3) modelled.add(name);
    modelled.checkAll();
    for (const name of modelled.model.keys())
      while (modelled.model.get(name)!.length > 0) modelled.remove(name, name % 2 === 0);
    modelled.checkAll();
    assert.equal(modelled.open.count, 0);
  });
}

test('marks of an entry are its own, and are gone when it is filled anew', () => {
  const modelled = new Modelled(KEY4_WORDS);
  modelled.add(1);
  modelled.add(2);
  const { open, rows } = modelled;
  const [entry] = modelled.model.get(2)!;
  open.setFromTable(entry, true);
  open.setGone(entry, true);
  open.setStart(entry, 5, 4, 2);
  assert.ok(open.isFromTable(entry) && open.isGone(entry));
  assert.deepEqual([open.timeUs(entry), open.timeSource(entry), open.flags(entry)], [5, 4, 0]);
  modelled.check(1);
  rows.status[0] = 9;
  open.show(entry, rows, 0, 1, 70_000);
  assert.ok(open.isOfAudit(entry, 70_000) && open.isFromTable(entry));
  assert.deepEqual([open.flags(entry), open.status(entry)], [1, 9]);
  rows.timeSource[0] = 2;
  rows.status[0] = 2;
  rows.mark[0] = ~2;
  rows.timeUs[0] = 2000;
  open.fill(entry, rows, 0, 2, 2);
  assert.equal(open.lastSeenUs(entry), 2000);
  open.setLastSeenUs(entry, 2001);
  modelled.check(2);
});
