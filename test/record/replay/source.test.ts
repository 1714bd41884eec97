/** Replay into a real ring with a real consumer on a thread of its own. */
import assert from 'node:assert/strict';
import { execFileSync, fork } from 'node:child_process';
import { on, once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DamageError, SystemFailure } from '../../../src/base/errors.js';
import { RECEIVE_EXTRA_BYTES } from '../../../src/base/libc/receive.js';
import { EventBatch, RecordFlag } from '../../../src/event/batch.js';
import { createDecodeCounters, decodeDatagram } from '../../../src/record/conntrack/decode.js';
import { PacketType } from '../../../src/record/replay/cooked.js';
import { ReplaySource } from '../../../src/record/replay/source.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { createRing } from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { Control } from '../../../src/record/stage/control.js';
import { RING_SLOT_BYTES } from '../../../src/record/stage/message-ring.js';
import { temporaryDirectory } from '../../lab/folder.js';
import {
  captureFile,
  messages,
  packetOf,
  packetsOf,
  pcap,
  pcapng,
  type TestPacket,
  threeEvents,
  withHeader,
} from './captures.js';
import { assertReplays, asTaken, Replay, replay } from './replay.js';

const NETLINK_ROUTE = 0;

const [a] = threeEvents;
const A = packetOf(a.bytes);

describe('a replay', () => {
  const all = messages(3000);

  for (const slots of [1, 7, 256, 4096])
    it(`puts every event into the ring with its bytes and time, in order: ${slots} slots`, async (context) => {
      const counts = await assertReplays(context, packetsOf(all), all, { slots });
      assert.equal(counts.packets, all.length);
    });

  it('is the same from pcapng', async (context) => {
    const { taken, error } = await replay(context, pcapng(packetsOf(all), { tsresol: 9 }));
    assert.equal(error, undefined);
    assert.deepEqual(taken, all.map(asTaken));
  });

  it('is the same when it is larger than the window of the input, at any alignment', async (context) => {
    const many = messages(20_000);
    const odd = packetOf(new Uint8Array(17), PacketType.toUser, NETLINK_ROUTE);
    const mixed = packetsOf(many).flatMap((one, i) => (i % 100 === 0 ? [odd, one] : [one]));
    const counts = await assertReplays(context, mixed, many);
    assert.equal(counts.otherFamily, 200);
  });

  it('of a capture without a packet is empty', async (context) => {
    await assertReplays(context, [], []);
  });
});

describe('a message that is not all there', () => {
  /** The only message of a capture as the parser reads it. */
  async function decoded(context: TestContext, one: TestPacket) {
    const { taken } = await replay(context, pcap([one]));
    assert.equal(taken.length, 1);
    const [message] = taken;
    assert.ok('bytes' in message);
    const slot = new Uint8Array(RING_SLOT_BYTES).fill(0xee);
    slot.set(message.bytes);
    const [batch, counters] = [new EventBatch(2), createDecodeCounters()];
    decodeDatagram(slot, 0, message.lengthBytes, slot.length, message.timeUs, 3, batch, counters);
    assert.equal(batch.count, 1);
    assert.equal(batch.origSrcPort[0], new DataView(a.bytes.buffer).getUint16(60));
    return { message, counters, partial: (batch.flags[0] & RecordFlag.partial) !== 0 };
  }

  it('because it is longer than a slot, is recorded as far as it was read, and counted', async (context) => {
    const long = Buffer.concat([a.bytes, Buffer.alloc(600)]);
    long.writeUInt16LE(600, a.bytes.length); // one attribute that nobody knows
    long.writeUInt16LE(4000, a.bytes.length + 2);
    const bytes = withHeader(long, { lengthBytes: long.length });
    const { message, counters, partial } = await decoded(context, packetOf(bytes));
    assert.equal(message.lengthBytes, bytes.length);
    assert.deepEqual(message.bytes, bytes.subarray(0, RING_SLOT_BYTES));
    assert.deepEqual([counters.truncated, counters.partial, partial], [1, 1, true]);
  });

  it('because the capture cut it, is recorded as far as it was captured, and counted', async (context) => {
    const cut = { timeUs: a.timeUs, bytes: A.bytes.subarray(0, 120), realBytes: A.bytes.length };
    const { message, counters, partial } = await decoded(context, cut);
    assert.deepEqual(message.bytes, Uint8Array.from(a.bytes.subarray(0, 104)));
    assert.deepEqual([counters.partial, partial], [1, true]);
    assert.equal((await replay(context, pcap([cut]))).counts.cut, 1);
  });
});

describe('a full ring', () => {
  const all = messages(100);

  it('is waited for', async (context) => {
    const one = await Replay.open(context, pcap(packetsOf(all)), { slots: 8 });
    const running = one.source.run();
    await one.full();
    assert.equal(one.source.counts().received, 8);
    one.openGate();
    await running;
    assert.deepEqual(await one.end(), all.map(asTaken));
  });

  it('is not waited for once the replay is stopped: what was received is there, and no more', async (context) => {
    const one = await Replay.open(context, pcap(packetsOf(all)), { slots: 8 });
    const running = one.source.run();
    await one.full();
    const taken = one.end();
    one.openGate();
    await running;
    assert.deepEqual(await taken, all.slice(0, 8).map(asTaken));
    assert.equal(one.source.counts().received, 8);
  });

  it('keeps control slots in order with the messages', async (context) => {
    const one = await Replay.open(context, pcap(packetsOf(all)), { slots: 8 });
    one.source.control(Control.open, 1);
    const running = one.source.run();
    await one.full();
    one.source.control(Control.rotate, 2);
    one.source.control(Control.flush, 3);
    one.openGate();
    await running;
    one.source.control(Control.rotate, 4);
    assert.deepEqual(await one.end(), [
      { control: Control.open, a: 1 },
      ...all.slice(0, 7).map(asTaken),
      { control: Control.rotate, a: 2 },
      { control: Control.flush, a: 3 },
      ...all.slice(7).map(asTaken),
      { control: Control.rotate, a: 4 },
    ]);
  });

  it('of a parser that died is waited for until the replay is closed', async (context) => {
    const one = await Replay.open(context, pcap(packetsOf(all)), { slots: 8 });
    const running = one.source.run();
    await one.full();
    new RingConsumer(one.producer.ring).fail();
    one.source.control(Control.flush);
    const stopping = one.source.stop();
    one.source.close();
    await running;
    await assert.rejects(stopping, SystemFailure);
  });
});

describe('standard input', () => {
  it('that gives no more for a while holds back no message', async (context) => {
    const all = messages(300);
    const child = fork(new URL('./stdin-process.js', import.meta.url), {
      stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    });
    context.after(() => child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    const capture = pcap(packetsOf(all));
    child.stdin?.write(capture.subarray(0, -1));
    for await (const [published] of on(child, 'message', { close: ['exit'] })) if (published === 299) break;
    const last = once(child, 'message');
    child.stdin?.end(capture.subarray(-1));
    assert.deepEqual(await last, [300, undefined]);
    assert.deepEqual(await ended, [0, null]);
  });
});

describe('a damaged capture', () => {
  const all = messages(1000);

  for (const slots of [16, 4096])
    it(`is replayed up to the damage, then there is one typed error: ${slots} slots`, async (context) => {
      const file = pcap(packetsOf(all));
      const { taken, error } = await replay(context, file.subarray(0, -1), { slots });
      assert.deepEqual(taken, all.slice(0, -1).map(asTaken));
      assert.ok(error instanceof DamageError);
      assert.equal(error.code, 'bad-capture');
      assert.match(error.message, /^\S+messages\.pcap: offset \d+: is cut off within a packet$/);
      assert.equal(error.offsetBytes, file.length - 32 - all[999].bytes.length);
    });

  it('in its middle', async (context) => {
    const file = pcapng(packetsOf(all));
    const at = pcapng(packetsOf(all.slice(0, 500))).length;
    file.writeUInt32LE(13, at + 4);
    const { taken, error } = await replay(context, file);
    assert.deepEqual(taken, all.slice(0, 500).map(asTaken));
    assert.ok(error instanceof DamageError);
    assert.equal(error.offsetBytes, at);
  });
});

describe('what is refused before anything is replayed', () => {
  const bigEndian = (one: TestPacket) => {
    const bytes = Buffer.from(one.bytes);
    bytes.subarray(16, 20).swap32();
    bytes.subarray(20, 24).swap16();
    return { ...one, bytes };
  };
  const producer = new RingProducer(
    createRing({ slots: 8, slotBytes: RING_SLOT_BYTES, extraBytes: RECEIVE_EXTRA_BYTES }),
  );
  const openCaptures = (path: string) =>
    process.platform === 'linux'
      ? readdirSync('/proc/self/fd').filter((fd) => {
          try {
            return readlinkSync(`/proc/self/fd/${fd}`) === path;
          } catch {
            return false; // the descriptor of the directory
          }
        }).length
      : 0;

  async function assertRefused(path: string, type: typeof DamageError | typeof SystemFailure, what: RegExp) {
    await assert.rejects(ReplaySource.open(path, producer, { keepDuplicates: false }), (error) => {
      assert.ok(error instanceof type, String(error));
      assert.match(error.message, what);
      assert.ok(error.message.startsWith(path) && !error.message.includes('\n'), error.message);
      return true;
    });
    await sleep(0);
    assert.equal(openCaptures(path), 0, 'its descriptor is closed');
  }

  for (const [what, [capture, message]] of Object.entries<[Uint8Array, RegExp]>({
    'an empty file': [new Uint8Array(0), /too short for a capture/],
    'a text': [Buffer.from('this is a text and not a capture at all'), /neither pcap nor pcapng/],
    'a capture of Ethernet, pcap': [pcap([A], { linkType: 1 }), /link type 1, not 253/],
    'a capture of Ethernet, pcapng': [pcapng([A], { linkType: 1 }), /link type 1, not 253/],
    'a capture cut in its first packet': [pcap([A]).subarray(0, -1), /cut off within a packet/],
    'a capture of a big-endian machine': [
      pcap([bigEndian(A)], { littleEndian: false }),
      /big-endian machine; its messages cannot be read/,
    ],
  }))
    it(what, (context) => assertRefused(captureFile(context, capture), DamageError, message));

  it('a file that is not there', (context) =>
    assertRefused(join(temporaryDirectory(context), 'missing.pcap'), SystemFailure, /: no such file$/));

  it('a directory', (context) =>
    assertRefused(temporaryDirectory(context), SystemFailure, /: is a directory; name a capture in it$/));

  it('a named pipe', { skip: process.platform === 'win32' }, (context) => {
    const pipe = join(temporaryDirectory(context), 'pipe');
    execFileSync('mkfifo', [pipe]);
    return assertRefused(pipe, SystemFailure, /: is not a file: use "-" for a pipe$/);
  });
});
