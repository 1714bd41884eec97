/** The store of open connections against a model, and against clients who choose their keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AF_INET, AF_INET6, EventBatch } from '../../src/event/batch.js';
import { KEY4_WORDS, KEY6_WORDS } from '../../src/event/key.js';
import { KeyedRows } from '../../src/event/keyed-rows.js';
import { OpenStarts, UnstartedEnds } from '../../src/event/open-starts.js';
import { batchOf } from '../find/helpers.js';

const NONE = -1;
const CAPACITY_FIRST = 4096;

const rowOf = (name: number, isV6: boolean): EventBatch =>
  batchOf([
    isV6
      ? { timeUs: name, src: `2001:db8::${name.toString(16)}`, dst: '2001:db8:1::1' }
      : { timeUs: name, sport: name },
  ]);

class Modelled {
  readonly store: OpenStarts;
  /** Entries by name, the newest first. */
  readonly model = new Map<number, number[]>();

  constructor(readonly isV6: boolean) {
    this.store = new OpenStarts(isV6 ? KEY6_WORDS : KEY4_WORDS);
  }

  load(name: number): void {
    this.store.loadRow(rowOf(name, this.isV6), 0);
  }

  add(name: number): void {
    this.load(name);
    const entry = this.store.add();
    this.store.fill(entry, rowOf(name, this.isV6), 0, name * 1000, name & 0xff, name % 2 === 1, name);
    this.model.set(name, [entry, ...(this.model.get(name) ?? [])]);
  }

  /** Of the entries of a name, the one of this age. */
  remove(name: number, age: number): void {
    const entries = this.model.get(name) ?? [];
    if (age >= entries.length) return;
    this.store.remove(entries[age]);
    entries.splice(age, 1);
  }

  check(name: number): void {
    this.load(name);
    const { store } = this;
    const found: number[] = [];
    for (let entry = store.newest(); entry !== NONE; entry = store.older(entry)) found.push(entry);
    assert.deepEqual(found, this.model.get(name) ?? []);
    for (const entry of found) {
      assert.equal(store.timeUs(entry), name * 1000);
      assert.equal(store.flags(entry), name & 0xff);
      assert.equal(store.isFromTable(entry), name % 2 === 1);
      assert.equal(store.gapsBefore(entry), name);
    }
  }

  checkAll(): void {
    for (const name of this.model.keys()) this.check(name);
    const all = [...this.model.values()].flat().sort((a, b) => a - b);
    assert.equal(this.store.count, all.length);
    const visited: number[] = [];
    this.store.forEach((entry) => {
      visited.push(entry);
    });
    assert.deepEqual(visited, all);
    const times = Array.from(this.store.sorted(), (entry) => this.store.timeUs(entry));
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    assert.equal(times.length, all.length);
  }
}

for (const isV6 of [false, true]) {
  const family = isV6 ? 'IPv6' : 'IPv4';

  test(`the entries of a key are found from the newest to the oldest: ${family}`, () => {
    const step = fc.record({ name: fc.nat(12), age: fc.nat(4), adds: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const modelled = new Modelled(isV6);
        for (const { name, age, adds } of steps) {
          if (adds) modelled.add(name);
          else modelled.remove(name, age);
          modelled.check(name);
        }
        modelled.checkAll();
      }),
      { numRuns: 100 },
    );
  });

  test(`also after the store has grown, and was emptied: ${family}`, () => {
    const modelled = new Modelled(isV6);
    for (let name = 1; name < 3 * CAPACITY_FIRST; name++) modelled.add(name);
    for (let name = 1; name < CAPACITY_FIRST; name += 7) modelled.add(name);
    for (let name = 1; name < CAPACITY_FIRST; name += 14) modelled.add(name);
    modelled.checkAll();
    modelled.store.clear();
    modelled.model.clear();
    for (let name = 1; name < 100; name++) modelled.add(name);
    modelled.checkAll();
  });
}

test('a loaded key is taken over from another store', () => {
  const starts = new OpenStarts(KEY4_WORDS);
  const ends = new UnstartedEnds(KEY4_WORDS);
  const row = rowOf(1, false);
  starts.loadRow(row, 0);
  ends.loadKeyOf(starts);
  const entry = ends.add();
  ends.fill(entry, 20, 2 ** 40);
  starts.loadRow(rowOf(2, false), 0);
  ends.loadKeyOf(starts);
  assert.equal(ends.newest(), NONE);
  ends.loadRow(row, 0);
  assert.equal(ends.newest(), entry);
  assert.deepEqual([ends.timeUs(entry), ends.outputRow(entry)], [20, 2 ** 40]);
});

test('keys of the same hash are told apart', () => {
  const store = new OpenStarts(KEY4_WORDS);
  const rows = new KeyedRows(KEY4_WORDS, 3);
  for (let row = 0; row < 3; row++) rows.append(rowOf(row, false), 0);
  store.prefetch(rows);
  rows.hashes.fill(-7);
  const entries = [0, 1, 2, 0, 1, 2].map((row) => store.addRow(rows, row));
  for (let row = 0; row < 3; row++) {
    assert.equal(store.findRow(rows, row), entries[row + 3]);
    store.loadKey(entries[row]);
    assert.equal(store.newest(), entries[row + 3]);
    assert.equal(store.older(entries[row + 3]), entries[row]);
    assert.equal(store.older(entries[row]), NONE);
  }
  store.remove(entries[4]);
  store.remove(entries[1]);
  assert.equal(store.findRow(rows, 1), NONE);
  assert.equal(store.findRow(rows, 2), entries[5]);
});

/** At most half of the slots are taken: a search reads two or three on the average. */
const PROBES_MEAN_MAX = 8;

class ProbedStarts extends OpenStarts {
  /** Add a connection; answers how many slots of the index a search for it then reads. */
  open(batch: EventBatch, row: number): number {
    this.loadRow(batch, row);
    this.add();
    return this.probeCount();
  }

  /** All connections of a batch, each a row. */
  openAll(batch: EventBatch): number {
    let probes = 0;
    for (let row = 0; row < batch.count; row++) probes += this.open(batch, row);
    return probes;
  }
}

/** The hash that pairing once had: without a seed, chained by its lowest bits. */
function unseededHash(key: Uint32Array): number {
  let hash = 0;
  for (const word of key) {
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

/** Its comparisons when these keys are added one after another: each is looked for first. */
function comparisonsInChains(hashes: readonly number[], buckets: number): number {
  const lengths = new Uint32Array(buckets);
  let comparisons = 0;
  for (const hash of hashes) comparisons += lengths[hash & (buckets - 1)]++;
  return comparisons;
}

test('IPv4: ports and servers that collided in the unseeded hash', () => {
  // One client behind a NAT that keeps its ports: it tries servers and ports until the lowest bits are 0.
  const wanted = 2000;
  const bits = 12;
  const key = new Uint32Array(KEY4_WORDS);
  const hashes: number[] = [];
  const batch = new EventBatch(wanted);
  const { addresses4 } = batch;
  const client = 0x0a000002;
  const gateway = 0xcb007101;
  for (let server = 0xc6120000; hashes.length < wanted; server++)
    for (let sport = 1024; sport < 65536 && hashes.length < wanted; sport++) {
      key.set([client, server, server, gateway, (sport << 16) | 443, (443 << 16) | sport, 6 << 18]);
      const hash = unseededHash(key);
      if ((hash & ((1 << bits) - 1)) !== 0) continue;
      hashes.push(hash);
      const row = batch.count++;
      batch.family[row] = AF_INET;
      batch.proto[row] = 6;
      batch.origSrc[row] = addresses4.intern(client);
      batch.origDst[row] = batch.replySrc[row] = addresses4.intern(server);
      batch.replyDst[row] = addresses4.intern(gateway);
      batch.origSrcPort[row] = batch.replyDstPort[row] = sport;
      batch.origDstPort[row] = batch.replySrcPort[row] = 443;
    }
  assert.equal(comparisonsInChains(hashes, 1 << bits), (wanted * (wanted - 1)) / 2);
  const store = new ProbedStarts(KEY4_WORDS);
  store.loadRow(batch, 0);
  assert.deepEqual([...store.key.subarray(0, 2)], [client, 0xc6120000]); // the rows are what was hashed
  const probes = store.openAll(batch);
  assert.ok(probes < PROBES_MEAN_MAX * wanted, `${probes} probes for ${wanted} connections`);
});

test('IPv6: addresses of one /64 that collide in a multiplicative hash under every seed', () => {
  // Differences in the highest bits of a word leave its multiplication in the highest bits, and the shift
  // puts a copy 15 bits lower. The next word can undo both, whatever the state was: 128 addresses a state.
  const bits = 7;
  const values = 1 << bits;
  const count = values * values;
  const batch = new EventBatch(count);
  const { addresses6 } = batch;
  const server = addresses6.intern(0x20010db8, 0, 0, 1);
  const gateway = addresses6.intern(0x20010db8, 1, 0, 1);
  const key = new Uint32Array(KEY6_WORDS);
  const seededHashes = new Set<number>();
  const seed = 0x5eed1234;
  for (let i = 0; i < count; i++) {
    const high = (i % values) << (32 - bits);
    const next = Math.floor(i / values);
    const low = (next << (32 - bits)) ^ (next << (17 - bits));
    const row = batch.count++;
    batch.family[row] = AF_INET6;
    batch.proto[row] = 17;
    batch.origSrc[row] = addresses6.intern(0x20010db8, 2, high >>> 0, low >>> 0);
    batch.origDst[row] = batch.replySrc[row] = server;
    batch.replyDst[row] = gateway;
    batch.origSrcPort[row] = batch.replyDstPort[row] = 5000;
    batch.origDstPort[row] = batch.replySrcPort[row] = 53;
    key.set([seed, 2, high, low]);
    seededHashes.add(unseededHash(key));
  }
  assert.equal(seededHashes.size, values, 'a seed alone does not help');
  const store = new ProbedStarts(KEY6_WORDS);
  const probes = store.openAll(batch);
  assert.ok(probes < PROBES_MEAN_MAX * count, `${probes} probes for ${count} connections`);
});
