import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { AF_INET, AF_INET6, EventBatch, RecordFlag, RecordKind } from '../../../src/event/batch.js';
import { Repeats } from '../../../src/record/conntrack/repeats.js';

const { start: NEW, end: DESTROY } = RecordKind;
const START_US = 1_795_384_800_000_000;

interface Event {
  readonly kind: typeof NEW | typeof DESTROY;
  readonly id?: number;
  readonly port?: number;
  readonly zone?: number;
  readonly proto?: number;
  readonly family?: number;
  readonly replied?: boolean;
  /** Kernel start time; 0 = none. */
  readonly startUs?: number;
}

const batch = new EventBatch(1);
let repeats: Repeats;
beforeEach(() => {
  repeats = new Repeats(0);
});

function isRepeat({ kind, id = 7, port = 1, zone = 0, proto = 6, replied = false, ...more }: Event): boolean {
  const { family = AF_INET, startUs = 0 } = more;
  batch.clear();
  batch.count = 1;
  batch.kind[0] = kind;
  batch.flags[0] = replied ? RecordFlag.replied : 0;
  batch.family[0] = family;
  batch.proto[0] = proto;
  batch.zone[0] = zone;
  const client =
    family === AF_INET ? batch.addresses4.intern(0x0a000001) : batch.addresses6.intern(1, 2, 3, 4);
  const server =
    family === AF_INET ? batch.addresses4.intern(0xcb007101) : batch.addresses6.intern(1, 2, 3, 5);
  batch.origSrc[0] = batch.replyDst[0] = client;
  batch.origDst[0] = batch.replySrc[0] = server;
  batch.origSrcPort[0] = batch.replyDstPort[0] = port & 0xffff;
  batch.origDstPort[0] = batch.replySrcPort[0] = port >>> 16;
  batch.id[0] = id;
  batch.startUs[0] = startUs;
  return repeats.isRepeat(batch, 0);
}

const judge = (...events: Event[]) => events.map(isRepeat);

test('each event of an entry counts once, however often and in whatever mixture it comes', () => {
  assert.deepEqual(
    judge({ kind: NEW }, { kind: NEW }, { kind: NEW, replied: true }, { kind: DESTROY }, { kind: DESTROY }),
    [false, true, true, false, true],
  );
});

test('an end whose start was not seen counts once too', () => {
  assert.deepEqual(judge({ kind: DESTROY }, { kind: DESTROY }), [false, true]);
});

test('an entry made again may have the same id: its NEW starts another life', () => {
  const life: Event[] = [{ kind: NEW }, { kind: DESTROY }];
  assert.deepEqual(judge(...life, ...life, ...life), new Array(6).fill(false));
});

test('by its kernel start time an end is told from that of an entry whose start was lost', () => {
  const one: Event = { kind: DESTROY, startUs: START_US };
  const other: Event = { kind: DESTROY, startUs: START_US + 3 };
  assert.deepEqual(judge(one, one, other, other), [false, true, false, true]);
});

test('a start after a loss counts, unless a reply shows that the entry has lived since', () => {
  judge({ kind: NEW });
  repeats.noteLoss();
  assert.deepEqual(judge({ kind: NEW, replied: true }, { kind: NEW }), [true, true]);
  repeats.noteLoss();
  assert.deepEqual(judge({ kind: NEW }, { kind: NEW }), [false, true]);
});

test('a loss does not make an end count twice', () => {
  judge({ kind: DESTROY });
  repeats.noteLoss();
  assert.deepEqual(judge({ kind: DESTROY }), [true]);
});

test('whatever differs makes another entry', () => {
  const entries: Omit<Event, 'kind'>[] = [
    {},
    { id: 8 },
    { port: 2 },
    { port: 0x10001 },
    { zone: 1 },
    { proto: 17 },
    { family: AF_INET6 },
  ];
  for (const expected of [false, true])
    for (const entry of entries) assert.equal(isRepeat({ kind: DESTROY, ...entry }), expected);
});

test('without an id nobody can tell: it counts', () => {
  assert.deepEqual(judge({ kind: DESTROY, id: 0 }, { kind: DESTROY, id: 0 }), [false, false]);
});

test('200,000 entries that differ in little are told apart', () => {
  for (let port = 0; port < 200_000; port++)
    assert.equal(isRepeat({ kind: DESTROY, port }), false, `${port}`);
  for (let port = 0; port < 200_000; port++) assert.equal(isRepeat({ kind: DESTROY, port }), true, `${port}`);
});

test('an entry is known while as many others come as the table may hold, and not for ever', () => {
  const entriesMax = 5000;
  for (const others of [1, 4000, 4999, 5000, 15_000]) {
    repeats = new Repeats(entriesMax);
    for (let port = 0; port < 12_345; port++) isRepeat({ kind: DESTROY, port });
    isRepeat({ kind: DESTROY, id: 1 });
    for (let port = 0; port < others; port++) isRepeat({ kind: DESTROY, id: 2, port });
    assert.equal(isRepeat({ kind: DESTROY, id: 1 }), others <= entriesMax, `${others} others`);
  }
});

test('any mixture of entries, repeats and lives is judged as a map would', () => {
  const event = fc.record({ port: fc.nat(40), kind: fc.constantFrom(NEW, DESTROY), replied: fc.boolean() });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 300 }), (events) => {
      repeats = new Repeats(0);
      const last = new Map<number, number>();
      for (const { port, kind, replied } of events) {
        assert.equal(isRepeat({ kind, port, replied, id: port + 1 }), last.get(port) === kind);
        last.set(port, kind);
      }
    }),
  );
});
