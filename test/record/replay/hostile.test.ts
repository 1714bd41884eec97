/**
 * Captures that somebody made to break a reader: they give messages or one typed error, in bounded memory,
 * and no hang.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ByteFeed, ByteInput } from '../../../src/base/disk/input.js';
import { DamageError } from '../../../src/base/errors.js';
import { EventBatch } from '../../../src/event/batch.js';
import { createDecodeCounters, decodeDatagram } from '../../../src/record/conntrack/decode.js';
import { MessageReader } from '../../../src/record/replay/messages.js';
import { PacketReader } from '../../../src/record/replay/reader.js';
import { copyToWords } from '../../../src/record/replay/words.js';
import { RING_SLOT_BYTES } from '../../../src/record/stage/message-ring.js';
import { runs } from '../../soak/runs.js';
import {
  cooked,
  interfaceBlock,
  MemoryFeed,
  messages,
  packetsOf,
  pcap,
  pcapng,
  type TestPacket,
} from './captures.js';

/** Largest window of a ByteInput for records of at most 1 MiB. */
const WINDOW_BYTES_MAX = 4 * 1024 * 1024;

const slot = new Uint32Array(RING_SLOT_BYTES / 4);
const slotBytes = new Uint8Array(slot.buffer);
const batch = new EventBatch(2);

/** Everything that a replay would find, decoded, and how it ended. */
async function readMessages(
  feed: ByteFeed,
): Promise<{ found: string[]; error: unknown; windowBytes: number }> {
  const input = new ByteInput(feed);
  const reader = new MessageReader(new PacketReader(input, 'x.pcap'), false);
  const { packet } = reader.packets;
  const found: string[] = [];
  let error: unknown;
  try {
    do {
      while (reader.next()) {
        const { from, lengthBytes } = reader;
        assert.ok(from >= packet.from && lengthBytes >= 16);
        assert.ok(from + lengthBytes <= packet.from + packet.capturedBytes, 'inside its packet');
        assert.ok(Number.isSafeInteger(packet.timeUs) && packet.timeUs >= 0, `time ${packet.timeUs}`);
        found.push(
          `${packet.timeUs} ${Buffer.from(packet.view.buffer.slice(from, from + lengthBytes)).toString('hex')}`,
        );
        copyToWords(packet.view, from, Math.min(lengthBytes, RING_SLOT_BYTES), slot, 0);
        batch.clear();
        decodeDatagram(
          slotBytes,
          0,
          lengthBytes,
          RING_SLOT_BYTES,
          packet.timeUs,
          3,
          batch,
          createDecodeCounters(),
        );
      }
    } while (await reader.fill());
  } catch (failure) {
    error = failure;
  }
  return { found, error, windowBytes: input.buffer.length };
}

function assertTyped(error: unknown): void {
  if (error === undefined) return;
  assert.ok(error instanceof DamageError, error instanceof Error ? error.stack : String(error));
  assert.equal(error.code, 'bad-capture');
  assert.doesNotMatch(error.message, /\n/);
}

interface Edit {
  readonly kind: 'byte' | 'word' | 'cut' | 'remove' | 'repeat';
  readonly at: number;
  readonly value: number;
  readonly length: number;
}

function edited(file: Buffer, { kind, at, value, length }: Edit): Buffer {
  const [before, part, after] = [
    file.subarray(0, at),
    file.subarray(at, at + length),
    file.subarray(at + length),
  ];
  switch (kind) {
    case 'byte':
      return Buffer.concat([before, Buffer.of(value & 0xff), file.subarray(at + 1)]);
    case 'word': {
      const word = Buffer.alloc(4);
      word.writeUInt32LE(value);
      return Buffer.concat([before, word, file.subarray(at + 4)]);
    }
    case 'cut':
      return before;
    case 'remove':
      return Buffer.concat([before, after]);
    case 'repeat':
      return Buffer.concat([before, part, part, after]);
  }
}

describe('a hostile capture', () => {
  const eight = packetsOf(messages(8));
  const several: TestPacket = {
    timeUs: 1,
    bytes: cooked(Buffer.concat(messages(3).map(({ bytes }) => bytes))),
  };
  const files = [
    pcap(eight),
    pcap([...eight, several], { littleEndian: false, nanoseconds: false }),
    pcapng([several, ...eight], { tsresol: 9 }),
    pcapng(eight, { littleEndian: false, simple: true }),
  ];
  const at = fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 2500 }));
  const value = fc.oneof(
    fc.constantFrom(0, 1, 3, 15, 16, 17, 0x7f, 0xff, 0xffff, 2 ** 20, 2 ** 20 + 1),
    fc.constantFrom(0x7fffffff, 0x80000000, 0xfffffffc, 0xfffffffd, 0xffffffff),
    fc.nat({ max: 0xffffffff }),
  );
  const kind = fc.constantFrom<Edit['kind']>('byte', 'word', 'word', 'cut', 'remove', 'repeat');
  const edit = fc.record({ kind, at, value, length: fc.nat({ max: 300 }) });

  it('gives what stands before the first change, then messages or one typed error', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(1, 64, 65536),
        async (file, edits, readBytes) => {
          const first = Math.min(...edits.map((one) => one.at));
          const { found: sound } = await readMessages(new MemoryFeed(file.subarray(0, first), 65536));
          const bytes = edits.reduce(edited, file);
          const { found, error, windowBytes } = await readMessages(new MemoryFeed(bytes, readBytes));
          assertTyped(error);
          assert.deepEqual(found.slice(0, sound.length), sound);
          assert.ok(windowBytes <= WINDOW_BYTES_MAX);
        },
      ),
      { numRuns: runs(1500) },
    );
  });

  it('of any bytes at all is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const { found, error } = await readMessages(new MemoryFeed(bytes, 64));
        assert.deepEqual(found, []);
        assert.ok(error instanceof DamageError);
      }),
      { numRuns: runs(300) },
    );
  });
});

/** `head`, then the same bytes again and again. */
class RepeatingFeed implements ByteFeed {
  #from = 0;

  constructor(
    public bytes: Uint8Array,
    readonly repeated: Uint8Array,
    public times: number,
  ) {}

  read(into: Uint8Array, at: number, length: number): number {
    if (this.#from === this.bytes.length) {
      if (this.times-- === 0) return 0;
      this.bytes = this.repeated;
      this.#from = 0;
    }
    const part = this.bytes.subarray(this.#from, this.#from + length);
    into.set(part, at);
    this.#from += part.length;
    return part.length;
  }

  close(): void {}
}

describe('an endless capture', () => {
  const PART_BYTES = 1024 * 1024;
  const PARTS = 128;
  const section = pcapng([]);
  const unknown = Buffer.alloc(4096);
  unknown.writeUInt32LE(0x0bad, 0);
  unknown.writeUInt32LE(unknown.length, 4);
  const manyInterfaces = Buffer.concat([section, ...Array.from({ length: 4000 }, () => interfaceBlock({}))]);
  const empty = pcap([{ timeUs: 1, bytes: new Uint8Array(0) }]).subarray(24);
  const foreign = pcap([{ timeUs: 1, bytes: cooked(new Uint8Array(4000), 6, 0) }]).subarray(24);

  for (const [what, [head, part]] of Object.entries<[Uint8Array, Uint8Array]>({
    'of blocks that nobody knows': [section, unknown],
    'of sections full of interfaces': [section, manyInterfaces],
    'of empty packets': [pcap([]), empty],
    'of packets of other families': [pcap([]), foreign],
  }))
    it(`${what} costs no memory and keeps nobody from his turn`, async () => {
      let turns = 0;
      const beat = setInterval(() => turns++, 0);
      const before = process.memoryUsage().heapUsed;
      const repeated = Buffer.concat(Array(Math.ceil(PART_BYTES / part.length)).fill(part));
      const { found, error, windowBytes } = await readMessages(new RepeatingFeed(head, repeated, PARTS));
      clearInterval(beat);
      assert.equal(error, undefined);
      assert.deepEqual(found, []);
      assert.ok(windowBytes <= WINDOW_BYTES_MAX);
      assert.ok(turns > 0);
      assert.ok(process.memoryUsage().heapUsed - before < 64 * 1024 * 1024);
    });
});
