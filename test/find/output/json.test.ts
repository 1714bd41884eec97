import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Column, RecordFlag, RecordKind } from '../../../src/event/batch.js';
import { type ColumnName, columnEntries, type OptionalColumnName } from '../../../src/event/columns.js';
import { JsonWriter } from '../../../src/find/output/json.js';
import { change, fullBatch } from '../../event/full-batch.js';
import { batchOf, documented, type TestRow } from '../helpers.js';

const TIME = 1_795_409_443_000_654;

function jsonOf(row: Partial<TestRow>, change: (batch: ReturnType<typeof batchOf>) => void = () => {}) {
  const batch = batchOf([{ timeUs: TIME, ...row }]);
  change(batch);
  const writer = new JsonWriter('a "file".ct');
  writer.load(batch);
  const text = writer.row(batch, 0);
  assert.ok(text.endsWith('}\n') && text.indexOf('\n') === text.length - 1, text);
  return JSON.parse(text);
}

/** Every key of a full row, as in `orig.src`, and whether it is another when one value is. */
function differences(name: ColumnName, row: number, element: number, proto: number): [string, boolean][] {
  const [before, after] = [false, true].map((isChanged) => {
    const batch = fullBatch(1);
    batch.proto[row] = proto;
    batch.kind[row] = RecordKind.connection;
    batch.flags[row] = 0;
    batch.tcpState[row] = 4;
    batch.timeSource[row] = 0;
    batch.zoneDirection[row] = 2;
    // Where the start was not seen the kernel's word for it stands.
    if (name === 'startUs') batch.kind[row] = RecordKind.end;
    if (isChanged) change(batch, name, row, element);
    const writer = new JsonWriter('x');
    writer.load(batch);
    return flat(JSON.parse(writer.row(batch, row)));
  });
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys].map((key) => [key, before.get(key) !== after.get(key)]);
}

function flat(row: Record<string, unknown>): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [key, value] of Object.entries(row))
    if (value === null || typeof value !== 'object') found.set(key, value);
    else for (const [inner, one] of Object.entries(value)) found.set(`${key}.${inner}`, one);
  return found;
}

const full = (kind: number) =>
  jsonOf({ kind, flags: 0xff, zone: 7, zoneDirection: 1, endUs: TIME + 5, startUs: TIME - 5 }, (batch) => {
    for (const name of Object.keys(Column) as OptionalColumnName[]) {
      if (batch[name][0] === 0) batch[name][0] = 1;
      batch.present |= Column[name];
    }
    batch.status[0] = 0x198;
    batch.mark[0] = 7;
    batch.id[0] = 8;
    batch.tcpState[0] = 4;
    batch.helpers.push('ftp');
    batch.helper[0] = 1;
    batch.counters.set([1, 0, 0, 1, 0xffffffff, 0xffffffff, 7, 0]);
  });

test('docs/json.md names every key, and no other', () => {
  const { always, others } = documented('## Events and connections');
  assert.deepEqual(Object.keys(jsonOf({})), always);
  const kinds = [RecordKind.connection, RecordKind.start, RecordKind.end];
  const keys = kinds.flatMap((kind) => Object.keys(full(kind)));
  assert.deepEqual(new Set(keys), new Set([...always, ...others]));
  const side = documented('`orig` and `reply` hold:');
  assert.deepEqual(Object.keys(jsonOf({}).orig), side.always);
  const sideKeys = [full(RecordKind.start), jsonOf({ proto: 1 }), jsonOf({ proto: 47 })].flatMap((row) =>
    Object.keys(row.reply),
  );
  assert.deepEqual(new Set(sideKeys), new Set([...side.always, ...side.others]));
  const gap = { fromUs: TIME, toUs: TIME + 1, lost: 3, certainty: 'exact', cause: 'overrun' } as const;
  assert.deepEqual(Object.keys(JSON.parse(new JsonWriter('x').gap(gap))), documented('## Gaps').always);
});

/** Columns that decide which keys others have, or what those tell. */
const MEANING_OF_OTHERS = new Set<ColumnName>(['kind', 'flags', 'timeUs', 'family', 'proto']);
/** Keys that no column tells. */
const OTHER_KEYS = ['file', 'orig', 'reply'];

test('the keys that the columns declare are the documented ones', () => {
  const declared = columnEntries.flatMap(([, { json }]) => json);
  const { always, others } = documented('## Events and connections');
  const keys = declared.filter((key) => !key.includes('.'));
  assert.deepEqual(new Set([...keys, ...OTHER_KEYS]), new Set([...always, ...others]));
  const side = documented('`orig` and `reply` hold:');
  for (const direction of ['orig', 'reply']) {
    const sideKeys = declared
      .filter((key) => key.startsWith(`${direction}.`))
      .map((key) => key.split('.')[1]);
    assert.deepEqual(new Set(sideKeys), new Set([...side.always, ...side.others]), direction);
  }
});

test('a column changes the keys that it declares, and none when it declares none', () => {
  const [ROW, TCP, GRE] = [0, 6, 47];
  for (const [name, { elements = 1, json }] of columnEntries) {
    const changed = new Set<string>();
    for (const proto of [TCP, 1, GRE])
      for (let element = 0; element < elements; element++)
        for (const [key, value] of differences(name, ROW, element, proto)) if (value) changed.add(key);
    const others = [...changed].filter((key) => !json.includes(key));
    if (!MEANING_OF_OTHERS.has(name)) assert.deepEqual(others, [], name);
    if (json.length > 0)
      assert.ok(
        json.some((key) => changed.has(key)),
        `${name}: none of ${json} changed`,
      );
  }
});

test('values', () => {
  const start = jsonOf({ flags: RecordFlag.replied });
  assert.deepEqual(start, {
    event: 'start',
    time: '2026-11-23T04:50:43.000654Z',
    timeSource: 'event',
    proto: 'tcp',
    zone: 0,
    orig: { src: '10.0.0.1', sport: 1000, dst: '192.0.2.1', dport: 80 },
    reply: { src: '192.0.2.1', sport: 80, dst: '203.0.113.1', dport: 1000 },
    replied: true,
    start: '2026-11-23T04:50:43.000654Z',
    startSeen: true,
    end: null,
    endSeen: false,
    file: 'a "file".ct',
  });
  const counted = full(RecordKind.start);
  assert.deepEqual([counted.orig.packets, counted.orig.bytes], [1, 2 ** 32]);
  assert.deepEqual([counted.reply.packets, counted.reply.bytes], ['18446744073709551615', 7]);
  const end = jsonOf({ kind: RecordKind.end, startUs: TIME - 1_000_000 });
  assert.deepEqual(
    [end.start, end.startSeen, end.end, end.endSeen],
    ['2026-11-23T04:50:42.000654Z', false, '2026-11-23T04:50:43.000654Z', true],
  );
  const v6 = jsonOf({ src: '2001:db8::1', dst: '::1', proto: 58, sport: 5, dport: 0x8000 });
  assert.deepEqual(v6.orig, {
    src: '2001:db8::1',
    sport: null,
    dst: '::1',
    dport: null,
    type: 128,
    code: 0,
    id: 5,
  });
});

test('what a row says does not depend on the others of its block', () => {
  const counted = full(RecordKind.end);
  assert.deepEqual([counted.status, counted.mark, counted.id], [0x198, 7, 8]);
  const plain = jsonOf({}, (batch) => {
    batch.present |= Column.status | Column.mark | Column.counters | Column.id;
  });
  for (const key of ['status', 'mark', 'id']) assert.ok(!(key in plain), key);
  assert.ok(!('packets' in plain.orig) && !('bytes' in plain.reply));
});

test('no text of a file can steer a terminal', () => {
  const cause = '\u0007\u001b[31m\u007f\u009b2J é';
  const gap = { fromUs: TIME, toUs: TIME, lost: 0, certainty: 'unknown', cause } as const;
  const text = new JsonWriter('\u009b31m.ct').gap(gap);
  assert.doesNotMatch(text.slice(0, -1), /\p{Cc}/u);
  assert.deepEqual([JSON.parse(text).cause, JSON.parse(text).file], [cause, '\u009b31m.ct']);
});

test('connections that were not seen whole', () => {
  const kind = RecordKind.connection;
  const open = jsonOf({ kind, flags: RecordFlag.endUnseen });
  assert.deepEqual(
    [open.start === null, open.end, open.endSeen, open.endBefore],
    [false, null, false, undefined],
  );
  const lost = jsonOf({ kind, flags: RecordFlag.endUnseen | RecordFlag.spansGap, endUs: TIME + 1 });
  assert.deepEqual([lost.end, lost.endBefore, lost.spansGap], [null, '2026-11-23T04:50:43.000655Z', true]);
  const late = jsonOf({ kind, flags: RecordFlag.startUnseen, endUs: TIME });
  assert.deepEqual([late.start, late.startSeen, late.end], [null, false, '2026-11-23T04:50:43.000654Z']);
});
