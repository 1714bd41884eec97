import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { EventBatch, RecordKind, TimeSource } from '../../../src/event/batch.js';
import { Certainty, LossCause } from '../../../src/event/gap.js';
import { UNNUMBERED } from '../../../src/log/format/block.js';
import { decodeRecords } from '../../../src/log/format/decode-rows.js';
import { BLOCK_HEADER_BYTES, BlockType } from '../../../src/log/format/format.js';
import { parseFrame, stampFrame } from '../../../src/log/format/frame.js';
import { Parser, type ParserOptions } from '../../../src/record/parser/parser.js';
import { ParserStat } from '../../../src/record/parser/parser-stats.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { createRing } from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { BLOCK_SLOT_BYTES, BlockMessage } from '../../../src/record/stage/blocks.js';
import { Control, putControl } from '../../../src/record/stage/control.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { useZone } from '../../find/helpers.js';

// NEW of a UDP connection without a time of its own: test/fixtures/messages, nat-gateway-6.18.hex, line 7,
// without its last attribute.
const udpNew = Buffer.from(
  '94000000000100060000000000000000' +
    '02000000340001801400018008000100c0a84d0208000200c63364501c000280050001001100000006000200ab210000' +
    '0600030014e90000340002801400018008000100c633645008000200c63364011c00028005000100110000000600020014e90000' +
    '06000300ab21000008000c0058ac455c0800030000000198080007000000001e',
  'hex',
);

/** Of a byte of the conntrack id (CTA_ID, 08000c00 and four bytes). */
const ID_OFFSET = udpNew.indexOf('08000c00', 'hex') + 4;

const HOUR_US = 3600e6;
/** 21:00:00 of some day, so that minutes and hours are boundaries too. */
const T0_US = 1_795_384_800_000_000;

/** What the parser handed over: the message, and for blocks what is in it. */
interface Handed {
  readonly message: number;
  readonly timeUs: number;
  readonly type?: number;
  readonly times?: number[];
  readonly json?: unknown;
}

let messages: RingProducer;
let consumer: RingConsumer;
/** Steps that are taken, one by one, whenever the parser finds its ring empty. */
let script: (() => void)[];
let nowUs: number;

class ScriptedConsumer extends RingConsumer {
  override waitReadable(): number {
    const readable = this.readable();
    if (readable > 0) return readable;
    script.shift()!();
    return this.readable();
  }
}

beforeEach((context) => {
  messages = new RingProducer(createRing({ slots: 20_000, slotBytes: 512, extraBytes: 32 }));
  consumer = new ScriptedConsumer(messages.ring);
  script = [];
  nowUs = T0_US;
  (context as unknown as { mock: { method: (o: object, n: string, f: () => number) => void } }).mock.method(
    Date,
    'now',
    () => nowUs / 1000,
  );
});

function receive(timeUs: number, change: (message: Buffer) => void = () => {}, senderPort = 0): void {
  const { ring, index } = messages;
  const message = Buffer.from(udpNew);
  change(message);
  ring.bytes.set(message, ring.offsetOf(index));
  new Uint32Array(ring.buffer, ring.extrasOffset + index * ring.extraBytes, 2)[1] = senderPort;
  ring.describe(index, message.length, 0);
  ring.timesUs[index] = timeUs;
  messages.publish(1);
}

function parse(options: Partial<ParserOptions> = {}): { handed: Handed[]; stats: Float64Array } {
  const stats = createStats();
  const ring = createRing({ slots: 24, slotBytes: BLOCK_SLOT_BYTES, extraBytes: 0 });
  const defaults: ParserOptions = {
    protocols: 'all',
    flushIntervalMs: 1000,
    rotateMinutes: 60,
    rotateLocal: false,
    runId: 77n,
    replay: false,
  };
  script.push(() => putControl(messages, Control.stop));
  new Parser(consumer, new RingProducer(ring), { ...defaults, ...options }, stats, undefined).run();
  return { handed: takeAll(new RingConsumer(ring)), stats };
}

function takeAll(blocks: RingConsumer): Handed[] {
  const { ring } = blocks;
  const batch = new EventBatch();
  return Array.from({ length: blocks.available() }, (_, slot): Handed => {
    const message = ring.flagsOf(slot);
    const timeUs = ring.timesUs[slot];
    if (message !== BlockMessage.block) return { message, timeUs };
    const at = ring.offsetOf(slot);
    stampFrame(ring.bytes, at, new Uint8Array(32));
    const frame = parseFrame(ring.bytes, at);
    assert.ok(typeof frame === 'object');
    assert.equal(frame.runId, 77n);
    assert.equal(frame.sequence, UNNUMBERED);
    const { type } = frame;
    const payload = ring.bytes.slice(at + BLOCK_HEADER_BYTES, at + BLOCK_HEADER_BYTES + frame.storedBytes);
    if (type !== BlockType.events)
      return { message, timeUs, type, json: JSON.parse(Buffer.from(payload).toString()) };
    decodeRecords(payload, frame.count, frame.minTimeUs, batch);
    assert.ok(batch.kind.subarray(0, batch.count).every((kind) => kind === RecordKind.start));
    return { message, timeUs, type, times: [...batch.timeUs.subarray(0, batch.count)] };
  });
}

function open(): void {
  putControl(messages, Control.open, nowUs);
}

const kinds = (handed: Handed[]) =>
  handed.map(({ message }) => Object.entries(BlockMessage).find(([, value]) => value === message)![0]);

test('messages become one block, between open and stop', () => {
  open();
  receive(T0_US + 1);
  receive(T0_US + 2);
  const { handed, stats } = parse();
  assert.deepEqual(kinds(handed), ['open', 'block', 'stop']);
  assert.equal(handed[0].timeUs, T0_US);
  assert.deepEqual(handed[1].times, [T0_US + 1, T0_US + 2]);
  assert.equal(stats[ParserStat.recorded], 2);
});

test('a message past the boundary goes into the next file, named by its time', () => {
  open();
  receive(T0_US + HOUR_US - 1);
  receive(T0_US + HOUR_US);
  const { handed } = parse({ flushIntervalMs: 10_000_000 });
  assert.deepEqual(kinds(handed), ['open', 'block', 'rotate', 'block', 'stop']);
  assert.equal(handed[2].timeUs, T0_US + HOUR_US);
  assert.deepEqual(handed[3].times, [T0_US + HOUR_US]);
});

test('rotation comes by the wall clock when nothing happens', () => {
  open();
  script.push(() => {
    nowUs += HOUR_US / 2;
  });
  script.push(() => {
    nowUs += HOUR_US / 2;
  });
  const { handed } = parse();
  assert.deepEqual(kinds(handed), ['open', 'rotate', 'stop']);
});

test('a clock stepped back over a boundary does not rotate twice', () => {
  nowUs = T0_US + HOUR_US - 10e6;
  open();
  receive(nowUs);
  receive(T0_US + HOUR_US + 5e6);
  putControl(messages, Control.clockStep, -20e6, T0_US + HOUR_US - 15e6);
  receive(T0_US + HOUR_US - 15e6);
  receive(T0_US + HOUR_US + 1e6);
  const { handed } = parse({ flushIntervalMs: 10_000_000 });
  assert.deepEqual(kinds(handed).filter((kind) => kind === 'rotate').length, 1);
  assert.deepEqual(handed.find(({ type }) => type === BlockType.clockStep)?.json, {
    atUs: T0_US + HOUR_US - 15e6,
    stepUs: -20e6,
  });
});

test('a clock that was far ahead and is set right rotates again within the interval', () => {
  nowUs = T0_US + 1000 * HOUR_US;
  open();
  receive(nowUs);
  putControl(messages, Control.clockStep, -1000 * HOUR_US, T0_US);
  receive(T0_US + 1);
  receive(T0_US + HOUR_US + 1);
  const { handed } = parse({ flushIntervalMs: 10_000_000 });
  assert.equal(kinds(handed).filter((kind) => kind === 'rotate').length, 1);
});

test('a rotation that a user asks for just after the clock went back does not bring back a used boundary', () => {
  nowUs = T0_US + HOUR_US - 10e6;
  open();
  receive(T0_US + HOUR_US + 5e6);
  putControl(messages, Control.clockStep, -20e6, T0_US + HOUR_US - 15e6);
  putControl(messages, Control.rotate, T0_US + HOUR_US - 12e6);
  receive(T0_US + HOUR_US + 1e6);
  receive(T0_US + 2 * HOUR_US);
  const { handed } = parse({ flushIntervalMs: 10_000_000 });
  assert.deepEqual(
    handed.filter(({ message }) => message === BlockMessage.rotate).map(({ timeUs }) => timeUs),
    [T0_US + HOUR_US + 5e6, T0_US + HOUR_US - 12e6, T0_US + 2 * HOUR_US],
  );
});

test('in local time a day of 25 hours is one file, also when the clock goes back to the day before', (t) => {
  useZone(t, 'Europe/Warsaw');
  const midnightUs = Date.parse('2026-10-24T22:00:00Z') * 1000;
  nowUs = midnightUs - HOUR_US;
  open();
  receive(midnightUs - 1);
  receive(midnightUs);
  // Two days of 24 hours before the next boundary, yet only one boundary away.
  putControl(messages, Control.clockStep, -23.5 * HOUR_US, midnightUs - 23.5 * HOUR_US);
  receive(midnightUs - 23.5 * HOUR_US);
  receive(midnightUs + HOUR_US);
  receive(midnightUs + 25 * HOUR_US - 1);
  receive(midnightUs + 25 * HOUR_US);
  const { handed } = parse({ rotateMinutes: 1440, rotateLocal: true, flushIntervalMs: 1_000_000_000 });
  assert.deepEqual(
    handed.filter(({ message }) => message === BlockMessage.rotate).map(({ timeUs }) => timeUs),
    [midnightUs, midnightUs + 25 * HOUR_US],
  );
});

test('without rotation there is none, however long it takes', () => {
  open();
  receive(T0_US);
  receive(T0_US + 100_000 * HOUR_US);
  assert.ok(!kinds(parse({ rotateMinutes: 0 }).handed).includes('rotate'));
});

test('a block is closed after the flush interval, by the messages and by the clock', () => {
  open();
  receive(T0_US);
  receive(T0_US + 999_999);
  receive(T0_US + 1_000_000);
  script.push(() => {
    nowUs += 2_000_000;
  });
  script.push(() => receive(nowUs));
  const { handed } = parse();
  assert.deepEqual(
    handed.filter(({ times }) => times).map(({ times }) => times!.length),
    [2, 1, 1],
  );
});

test('a full block is handed over at once', () => {
  open();
  for (let i = 0; i < 16_385; i++) receive(T0_US + i);
  const { handed } = parse({ flushIntervalMs: 10_000_000 });
  assert.deepEqual(
    handed.filter(({ times }) => times).map(({ times }) => times!.length),
    [16_384, 1],
  );
});

test('drops of the kernel become one gap record behind the block', () => {
  open();
  receive(T0_US);
  putControl(messages, Control.gap, 5, T0_US, T0_US + 10, LossCause.diskStalled, Certainty.exact, 64, 3);
  putControl(
    messages,
    Control.gap,
    7,
    T0_US + 20,
    T0_US + 30,
    LossCause.bufferTooSmall,
    Certainty.atMost,
    96,
    4,
  );
  receive(T0_US + 40);
  const { handed, stats } = parse();
  assert.deepEqual(
    handed.map(({ type }) => type),
    [undefined, BlockType.events, BlockType.gap, undefined],
  );
  assert.deepEqual(handed[2].json, {
    fromUs: T0_US,
    toUs: T0_US + 30,
    lost: 12,
    certainty: 'at-most',
    cause: 'disk stalled',
    queueHighWaterBytes: 96,
    ringHighWaterSlots: 4,
  });
  assert.equal(stats[ParserStat.lost], 12);
});

test('a gap without any event is written too', () => {
  open();
  putControl(messages, Control.gap, 5, T0_US, T0_US + 10);
  assert.deepEqual(
    parse().handed.map(({ type }) => type),
    [undefined, BlockType.gap, undefined],
  );
});

test('a message that does not come from the kernel is counted and ignored', () => {
  open();
  receive(T0_US, undefined, 4321);
  const { handed, stats } = parse();
  assert.deepEqual(kinds(handed), ['open', 'stop']);
  assert.equal(stats[ParserStat.foreignSender], 1);
});

test('other protocols are left out and leave nothing behind', () => {
  open();
  receive(T0_US);
  receive(T0_US + 1, (message) => {
    message[message.length - 9] = 0x7f; // another status, which must not show in the next row
    message[52] = 6;
  });
  receive(T0_US + 2);
  const { handed, stats } = parse({ protocols: [17] });
  assert.deepEqual(handed[1].times, [T0_US, T0_US + 2]);
  assert.equal(stats[ParserStat.otherProtocol], 1);
});

test('SIGHUP and SIGUSR1: rotate and flush close the block first', () => {
  open();
  receive(T0_US);
  putControl(messages, Control.rotate, T0_US + 5);
  receive(T0_US + 6);
  putControl(messages, Control.flush);
  const { handed } = parse();
  assert.deepEqual(kinds(handed), ['open', 'block', 'rotate', 'block', 'flush', 'stop']);
  assert.equal(handed[2].timeUs, T0_US + 5);
});

test('in a replay the first message opens the first file, and time is its time', () => {
  open();
  receive(5_000_000);
  receive(5_000_001 + HOUR_US);
  const { handed } = parse({ replay: true });
  assert.deepEqual(kinds(handed), ['open', 'block', 'rotate', 'block', 'stop']);
  assert.equal(handed[0].timeUs, 5_000_000);
  assert.equal(TimeSource.capture, 3);
});

test('an empty replay still makes a file, named by the time it was made', () => {
  open();
  const { handed } = parse({ replay: true });
  assert.deepEqual(kinds(handed), ['open', 'stop']);
});

test('--reliable, switched on or off, is a record behind the events before it', () => {
  open();
  putControl(messages, Control.reliable, 1, 100, 262_144, T0_US);
  receive(T0_US + 1);
  putControl(messages, Control.reliable, 0, 210_000, 262_144, T0_US + 2);
  const { handed } = parse();
  assert.deepEqual(
    handed.map(({ type }) => type),
    [undefined, BlockType.checkpoint, BlockType.events, BlockType.checkpoint, undefined],
  );
  assert.deepEqual(handed[1].json, { reliable: true, atUs: T0_US, entries: 100, entriesMax: 262_144 });
  assert.deepEqual(handed[3].json, {
    reliable: false,
    atUs: T0_US + 2,
    entries: 210_000,
    entriesMax: 262_144,
  });
});

test('while the kernel may send events again each is recorded once, also one of the block under construction', () => {
  open();
  receive(T0_US);
  receive(T0_US + 1); // not judged: nothing said that it could be a repeat
  putControl(messages, Control.repeats, 1, 1000);
  receive(T0_US + 2);
  receive(T0_US + 3, (message) => message.writeUInt8(0x46, ID_OFFSET));
  receive(T0_US + 4, (message) => message.writeUInt8(0x46, ID_OFFSET));
  putControl(messages, Control.repeats, 0);
  receive(T0_US + 5);
  const { handed, stats } = parse();
  assert.deepEqual(handed[1].times, [T0_US, T0_US + 1, T0_US + 3, T0_US + 5]);
  assert.equal(stats[ParserStat.repeats], 2);
  assert.equal(stats[ParserStat.recorded], 4);
});
