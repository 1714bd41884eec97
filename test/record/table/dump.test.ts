import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { afterEach, test } from 'node:test';
import { RecordFlag, RecordKind, TimeSource, ZoneDirection } from '../../../src/event/batch.js';
import { dumpTable } from '../../../src/record/table/dump.js';
import { EntryLookup } from '../../../src/record/table/lookup.js';
import { inNamespace, SyncInjector } from '../netlink/in-namespace.js';
import {
  createEntry,
  type Entry,
  entries,
  entryText,
  keyedRowText,
  origTuple,
  removeEntry,
  rowText,
} from './entries.js';

const NOW_US = 1_795_554_549_152_001;
const MANY = 70_000;

function dumped(rowsPerTake?: number): string[] {
  const texts: string[] = [];
  dumpTable(
    NOW_US,
    (rows) => {
      for (let row = 0; row < rows.count; row++) {
        assert.equal(rows.kind[row], RecordKind.snapshot);
        assert.equal(rows.timeUs[row], NOW_US);
        assert.equal(rows.timeSource[row], TimeSource.receive);
        assert.equal(rows.flags[row] & RecordFlag.partial, 0);
        texts.push(keyedRowText(rows, row));
      }
    },
    rowsPerTake,
  );
  return texts.sort();
}

/** Differs from every entry that is there in one thing. */
function neighbours(entry: Entry): Entry[] {
  const { orig, proto } = entry;
  const isPing = proto === 1 || proto === 58;
  const swapped = { src: orig.dst, dst: orig.src, sport: orig.dport, dport: orig.sport };
  return [
    { ...entry, orig: { ...orig, src: orig.dst } },
    { ...entry, orig: { ...orig, dst: orig.src } },
    ...(isPing ? [] : [{ ...entry, orig: swapped }]), // no message type is that large
    { ...entry, zone: 4711, zoneDirection: ZoneDirection.both },
    { ...entry, zone: 4711, zoneDirection: ZoneDirection.orig },
    ...(proto === 50
      ? [{ ...entry, proto: 51 }]
      : [
          { ...entry, orig: { ...orig, sport: orig.sport + 5 } },
          { ...entry, orig: { ...orig, dport: orig.dport + 1 } },
        ]),
    ...(proto === 6 ? [{ ...entry, proto: 33 }] : []),
  ];
}

inNamespace(
  import.meta.url,
  () => {
    afterEach(() => {
      const injector = new SyncInjector();
      injector.flush();
      injector.close();
    });

    test('an empty table has no entries', () => {
      assert.deepEqual(dumped(), []);
    });

    test('a dump has the entries that were made, of every kind, also in batches of a few', () => {
      for (const entry of entries) createEntry(entry);
      const expected = entries.map(entryText).sort();
      assert.equal(new Set(expected).size, entries.length);
      for (const capacity of [1, 7, undefined]) assert.deepEqual(dumped(capacity), expected);
    });

    test(`a dump of ${MANY} entries has each of them once`, () => {
      const injector = new SyncInjector();
      injector.create({ count: MANY });
      injector.create({ count: 5000, family: 6, proto: 17, zone: 9 });
      injector.close();
      const texts = dumped();
      assert.equal(texts.length, MANY + 5000);
      assert.equal(new Set(texts).size, MANY + 5000);
    });

    test('an entry is found by its name until it is removed', () => {
      for (const entry of entries) createEntry(entry);
      const lookup = new EntryLookup();
      for (const entry of entries) {
        const found = lookup.find(origTuple(entry));
        assert.ok(found !== undefined, entryText(entry));
        assert.equal(rowText(found, 0), entryText(entry));
      }
      for (const entry of entries) {
        removeEntry(entry);
        const found = lookup.find(origTuple(entry));
        assert.equal(found, undefined, entryText(entry));
      }
      lookup.close();
    });

    test('nothing is found that differs in address, port, protocol, zone or direction', () => {
      for (const entry of entries) createEntry(entry);
      const lookup = new EntryLookup();
      for (const neighbour of entries.flatMap(neighbours)) {
        const found = lookup.find(origTuple(neighbour));
        assert.equal(found === undefined ? '' : rowText(found, 0), '', entryText(neighbour));
      }
      lookup.close();
    });

    test('an entry whose reply has the tuple is answered as what it is', () => {
      const [entry] = entries;
      createEntry(entry);
      const lookup = new EntryLookup();
      const found = lookup.find(origTuple({ ...entry, orig: entry.reply }));
      assert.equal(rowText(found!, 0), entryText(entry));
      lookup.close();
    });

    test('without CAP_NET_ADMIN dump and question are refused in one line', () => {
      const script = `
        import { dumpTable } from ${JSON.stringify(new URL('../../../src/record/table/dump.js', import.meta.url).href)};
        import { EntryLookup } from ${JSON.stringify(new URL('../../../src/record/table/lookup.js', import.meta.url).href)};
        const words = Uint32Array.of(1);
        const tuple = { proto: 6, src: words, dst: words, srcPort: 1, dstPort: 1, zone: 0, zoneDirection: 0 };
        for (const ask of [() => dumpTable(0, () => {}), () => new EntryLookup().find(tuple)])
          try { ask(); console.log('answered'); } catch (error) { console.log(error.name, error.code, error.message); }`;
      const args = ['--bounding-set=-net_admin', '--inh-caps=-net_admin', process.execPath];
      const { stdout, stderr } = spawnSync('setpriv', [...args, '--input-type=module', '-e', script], {
        encoding: 'utf8',
      });
      assert.equal(
        stdout,
        'SystemFailure EPERM dump conntrack table: not permitted: this needs the capability CAP_NET_ADMIN (run as root)\n' +
          'SystemFailure EPERM ask for conntrack entry: not permitted: this needs the capability CAP_NET_ADMIN (run as root)\n',
        stderr,
      );
    });
  },
  MANY + 10_000,
);
