import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  AF_INET,
  type EventBatch,
  RecordFlag,
  RecordKind,
  TimeSource,
  ZoneDirection,
} from '../../src/event/batch.js';
import { Pairer, START_TOLERANCE_US } from '../../src/event/pair.js';
import { batchOf, type TestRow } from '../find/helpers.js';

const { start, end, snapshot, update } = RecordKind;
const { receive } = TimeSource;

type Step = TestRow | 'gap';

/** Connections as `SPORT START-END FLAGS`, `?` for what was not seen, `<T` for an end before T. */
function paired(steps: readonly Step[], outputCapacity = 16): string[] {
  const pairer = new Pairer(0, outputCapacity);
  const out: string[] = [];
  const take = (batches: Iterable<EventBatch>) => {
    for (const batch of batches) for (let row = 0; row < batch.count; row++) out.push(describe(batch, row));
  };
  for (const step of steps) {
    if (step === 'gap') pairer.noteGap();
    else take(pairer.add(batchOf([step]), Uint32Array.of(0), 1));
  }
  take(pairer.finish());
  return out;
}

function describe(batch: EventBatch, row: number): string {
  assert.equal(batch.kind[row], RecordKind.connection);
  const flags = batch.flags[row];
  const endUs = batch.endUs[row];
  const from = flags & RecordFlag.startUnseen ? '?' : String(batch.timeUs[row]);
  const to = flags & RecordFlag.endUnseen ? (endUs === 0 ? '?' : `<${endUs}`) : String(endUs);
  const marks = `${flags & RecordFlag.replied ? '+' : ''}${flags & RecordFlag.spansGap ? '!' : ''}`;
  return `${batch.origSrcPort[row]} ${from}-${to}${marks === '' ? '' : ` ${marks}`}`;
}

const replied = RecordFlag.replied;
const cases: readonly [string, Step[], string[]][] = [
  ['start and end', [{ timeUs: 10 }, { kind: end, timeUs: 20, flags: replied }], ['1000 10-20 +']],
  [
    'in the order of ends, open ones last by start',
    [
      { timeUs: 10, sport: 1 },
      { timeUs: 13, sport: 4 },
      { timeUs: 11, sport: 2 },
      { timeUs: 12, sport: 3 },
      { kind: end, timeUs: 20, sport: 3 },
      { kind: end, timeUs: 21, sport: 1 },
    ],
    ['3 12-20', '1 10-21', '2 11-?', '4 13-?'],
  ],
  ['an end without a start is kept', [{ kind: end, timeUs: 20 }], ['1000 ?-20']],
  ['the kernel tells the start of an end', [{ kind: end, timeUs: 20, startUs: 15 }], ['1000 15-20']],
  [
    'updates do not matter',
    [{ timeUs: 10 }, { kind: update, timeUs: 15 }, { kind: end, timeUs: 20 }],
    ['1000 10-20'],
  ],
  [
    'after a lost end the latest start pairs, the older has ended unseen',
    [{ timeUs: 10 }, { timeUs: 30 }, { kind: end, timeUs: 40 }],
    ['1000 10-<30', '1000 30-40'],
  ],
  [
    'an end with a kernel start time pairs with that start only',
    [
      { timeUs: 10_000 },
      { timeUs: 30_000 },
      { kind: end, timeUs: 40_000, startUs: 10_000 + START_TOLERANCE_US },
    ],
    ['1000 10000-40000', '1000 30000-?'],
  ],
  [
    'outside of the tolerance it is another start, and the one before has ended unseen',
    [{ timeUs: 10_000 }, { kind: end, timeUs: 40_000, startUs: 10_001 + START_TOLERANCE_US }],
    [`1000 10000-<${10_001 + START_TOLERANCE_US}`, `1000 ${10_001 + START_TOLERANCE_US}-40000`],
  ],
  [
    'a start told late is the one the kernel means, and has its time',
    [{ timeUs: 900_000 }, { kind: end, timeUs: 1_000_000, startUs: 10_000 }],
    ['1000 10000-1000000'],
  ],
  [
    'but not one that is later than the end, or whose kernel start time is another',
    [
      { kind: snapshot, timeUs: 60_000, startUs: 50_000 },
      { timeUs: 1_000_001 },
      { kind: end, timeUs: 1_000_000, startUs: 10_000 },
    ],
    ['1000 10000-1000000', '1000 50000-<1000001', '1000 1000001-?'],
  ],
  [
    'of two starts within the tolerance the nearer one is meant',
    [{ timeUs: 10_000 }, { timeUs: 14_000 }, { kind: end, timeUs: 40_000, startUs: 10_050 }],
    ['1000 10000-40000', '1000 14000-?'],
  ],
  [
    'a start that was stamped when it was received may be late',
    [
      { timeUs: 10_000 + 10 * START_TOLERANCE_US, timeSource: receive },
      { kind: end, timeUs: 90_000, startUs: 10_000 },
    ],
    [`1000 ${10_000 + 10 * START_TOLERANCE_US}-90000`],
  ],
  [
    'but never early',
    [
      { timeUs: 10_000, timeSource: receive },
      { kind: end, timeUs: 40_000, startUs: 10_001 + START_TOLERANCE_US },
    ],
    [`1000 10000-<${10_001 + START_TOLERANCE_US}`, `1000 ${10_001 + START_TOLERANCE_US}-40000`],
  ],
  [
    'an end that comes after the start of the next connection',
    [
      { timeUs: 11_000, timeSource: receive },
      { timeUs: 31_000, timeSource: receive },
      { kind: end, timeUs: 20_000, startUs: 10_500 },
      { kind: end, timeUs: 40_000, startUs: 30_500 },
    ],
    ['1000 11000-20000', '1000 31000-40000'],
  ],
  [
    'a start in the future of a late end is left open',
    [{ timeUs: 10 }, { timeUs: 30 }, { kind: end, timeUs: 20 }, { kind: end, timeUs: 40 }],
    ['1000 10-20', '1000 30-40'],
  ],
  ['a clock set back still pairs', [{ timeUs: 1000 }, { kind: end, timeUs: 20 }], ['1000 1000-20']],
  [
    'a gap flags what spans it',
    [
      { timeUs: 10, sport: 1 },
      'gap',
      { timeUs: 20, sport: 2 },
      { kind: end, timeUs: 30, sport: 1 },
      { kind: end, timeUs: 31, sport: 2 },
    ],
    ['1 10-30 !', '2 20-31'],
  ],
  ['and what is still open behind it', [{ timeUs: 10 }, 'gap'], ['1000 10-? !']],
  [
    'zones, their direction and protocols are apart',
    [
      { timeUs: 10, sport: 1 },
      { timeUs: 11, sport: 1, zone: 1 },
      { timeUs: 12, sport: 1, zone: 1, zoneDirection: ZoneDirection.reply },
      { timeUs: 13, sport: 1, proto: 17 },
      { kind: end, timeUs: 20, sport: 1, zone: 1, zoneDirection: ZoneDirection.reply },
      { kind: end, timeUs: 21, sport: 1, proto: 17 },
      { kind: end, timeUs: 22, sport: 1, zone: 1 },
    ],
    ['1 12-20', '1 13-21', '1 11-22', '1 10-?'],
  ],
  [
    'IPv4 and IPv6 open ones are merged by start',
    [
      { timeUs: 10, sport: 1 },
      { timeUs: 11, sport: 2, src: '2001:db8::1', dst: '2001:db8::2' },
      { timeUs: 12, sport: 3 },
    ],
    ['1 10-?', '2 11-?', '3 12-?'],
  ],
  [
    'a snapshot without a time says only that it was open',
    [
      { kind: snapshot, timeUs: 10 },
      { kind: end, timeUs: 20 },
    ],
    ['1000 ?-20'],
  ],
  [
    'the end of it may tell the start',
    [
      { kind: snapshot, timeUs: 10 },
      { kind: end, timeUs: 20, startUs: 5 },
    ],
    ['1000 5-20'],
  ],
  [
    'a snapshot with the kernel start time is a start',
    [
      { kind: snapshot, timeUs: 10, startUs: 5 },
      { kind: end, timeUs: 20, startUs: 5 },
    ],
    ['1000 5-20'],
  ],
  [
    'a snapshot of what was seen starting adds nothing',
    [{ timeUs: 5 }, { kind: snapshot, timeUs: 10 }, { kind: end, timeUs: 20 }],
    ['1000 5-20'],
  ],
  [
    'a start that the dump overtook',
    [{ kind: snapshot, timeUs: 10 }, { timeUs: 9 }, { kind: end, timeUs: 20 }],
    ['1000 9-20'],
  ],
  [
    'a new start of what was open at the dump',
    [{ kind: snapshot, timeUs: 10 }, { timeUs: 15 }, { kind: end, timeUs: 20 }],
    ['1000 ?-<15', '1000 15-20'],
  ],
];
for (const [name, steps, expected] of cases)
  test(name, () => {
    assert.deepEqual(paired(steps), expected);
  });

test('an output batch that a single row has filled is handed out before the open ones', () => {
  const starts = [1, 2, 3, 4].map((timeUs) => ({ timeUs: timeUs * 10_000 }));
  const steps = [...starts, { timeUs: 50_000, sport: 2 }, { kind: end, timeUs: 90_000, startUs: 80_000 }];
  assert.deepEqual(paired(steps, 5), [
    '1000 10000-<20000',
    '1000 20000-<30000',
    '1000 30000-<40000',
    '1000 40000-<80000',
    '1000 80000-90000',
    '2 50000-?',
  ]);
});

test('endpoints, zone and counters go with the connection', () => {
  const pairer = new Pairer(0, 16);
  const key = {
    src: '10.9.8.7',
    sport: 65535,
    dst: '192.0.2.9',
    dport: 1,
    replySrc: '10.0.0.3',
    replySport: 8080,
    replyDst: '203.0.113.7',
    replyDport: 61000,
    zone: 65535,
    zoneDirection: 1,
    proto: 132,
  };
  const rows = [...pairer.add(batchOf([{ timeUs: 1, ...key }]), Uint32Array.of(0), 1)];
  assert.equal(rows.length, 0);
  const [batch] = pairer.finish();
  const { values } = batch.addresses4;
  assert.deepEqual(
    [
      batch.family[0],
      values[batch.origSrc[0]],
      batch.origSrcPort[0],
      values[batch.origDst[0]],
      batch.origDstPort[0],
    ],
    [AF_INET, 0x0a090807, 65535, 0xc0000209, 1],
  );
  assert.deepEqual(
    [values[batch.replySrc[0]], batch.replySrcPort[0], values[batch.replyDst[0]], batch.replyDstPort[0]],
    [0x0a000003, 8080, 0xcb007107, 61000],
  );
  assert.deepEqual([batch.zone[0], batch.zoneDirection[0], batch.proto[0]], [65535, 1, 132]);
});

/**
 * The rule once more, with strings and lists, for ends without a kernel start time and at most four open
 * starts a key.
 */
function model(steps: readonly Step[]): string[] {
  const open = new Map<number, { from: number; before: number; gaps: number; replied: boolean }[]>();
  const out: string[] = [];
  let gaps = 0;
  const text = (sport: number, from: string, to: string, plus: boolean, gap: boolean) => {
    const marks = `${plus ? '+' : ''}${gap ? '!' : ''}`;
    return `${sport} ${from}-${to}${marks === '' ? '' : ` ${marks}`}`;
  };
  for (const step of steps) {
    if (step === 'gap') {
      gaps++;
      continue;
    }
    const sport = step.sport!;
    const starts = open.get(sport) ?? [];
    open.set(sport, starts);
    const plus = step.flags === replied;
    const giveUp = (one: (typeof starts)[0]) =>
      out.push(text(sport, String(one.from), `<${one.before}`, one.replied, one.gaps !== gaps));
    if (step.kind === start) {
      if (starts.length > 0) starts[starts.length - 1].before = step.timeUs;
      if (starts.length === 4) giveUp(starts.shift()!);
      starts.push({ from: step.timeUs, before: 0, gaps, replied: plus });
      continue;
    }
    let at = starts.findLastIndex((one) => one.from <= step.timeUs);
    if (at < 0) at = starts.length - 1;
    if (at < 0) {
      out.push(text(sport, '?', String(step.timeUs), plus, false));
      continue;
    }
    for (const older of starts.splice(0, at)) giveUp(older);
    const [one] = starts.splice(0, 1);
    out.push(text(sport, String(one.from), String(step.timeUs), plus || one.replied, one.gaps !== gaps));
  }
  const left = [...open].flatMap(([sport, starts]) => starts.map((one) => ({ sport, ...one })));
  left.sort((a, b) => a.from - b.from);
  for (const one of left)
    out.push(
      text(
        one.sport,
        String(one.from),
        one.before === 0 ? '?' : `<${one.before}`,
        one.replied,
        one.gaps !== gaps,
      ),
    );
  return out;
}

test('agrees with a model of the rule', () => {
  const step = fc.record({
    kind: fc.constantFrom(start, end),
    sport: fc.integer({ min: 1, max: 5 }),
    jitterUs: fc.integer({ min: -3, max: 3 }),
    flags: fc.constantFrom(0, replied),
    gap: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (drawn) => {
      // Times are unique (the last digit is the jitter's), and not always in order.
      const steps = drawn.flatMap(({ jitterUs, gap, ...row }, i): Step[] => {
        const timed = { ...row, timeUs: 1000 + i * 10 + jitterUs * 31 };
        return gap === 0 ? ['gap', timed] : [timed];
      });
      assert.deepEqual(paired(steps), model(steps));
    }),
    { numRuns: 2000 },
  );
});

test('twenty thousand open ones, in any order of their ends', () => {
  const count = 20_000;
  const rows = (kind: RecordKind, timeUs: number, order: (i: number) => number) =>
    batchOf(
      Array.from({ length: count }, (_, i) => ({
        kind,
        timeUs: timeUs + i,
        src: `10.${order(i) >> 16}.${(order(i) >> 8) & 255}.${order(i) & 255}`,
      })),
    );
  const pairer = new Pairer();
  const all = Uint32Array.from({ length: count }, (_, i) => i);
  assert.deepEqual(
    [
      ...pairer.add(
        rows(start, 0, (i) => i),
        all,
        count,
      ),
    ],
    [],
  );
  let pairs = 0;
  // 7,777 and 20,000 have no common factor: every connection ends once.
  const ends = rows(end, 1e6, (i) => (i * 7_777) % count);
  const check = (batches: Iterable<EventBatch>) => {
    for (const batch of batches)
      for (let row = 0; row < batch.count; row++) {
        assert.equal(batch.timeUs[row], batch.addresses4.values[batch.origSrc[row]] - 0x0a000000);
        assert.equal(batch.flags[row], 0);
        pairs++;
      }
  };
  check(pairer.add(ends, all, count));
  check(pairer.finish());
  assert.equal(pairs, count);
});
