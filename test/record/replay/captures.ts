/** Builds captures of every shape that a reader may meet, and throw-away places to put them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { writeMessage } from '../../../bench/generate/message.js';
import { generateTrace } from '../../../bench/generate/trace.js';
import { type ByteFeed, ByteInput } from '../../../src/base/disk/input.js';
import { NETLINK_NETFILTER } from '../../../src/record/netlink/constants.js';
import { PacketType } from '../../../src/record/replay/cooked.js';
import { LINKTYPE_NETLINK } from '../../../src/record/replay/packet.js';
import { PacketReader } from '../../../src/record/replay/reader.js';
import { temporaryDirectory } from '../../lab/folder.js';

export interface TestPacket {
  readonly timeUs: number;
  readonly bytes: Uint8Array;
  /** As it was on the link; the bytes' length when it is not given. */
  readonly realBytes?: number;
}

export interface PcapShape {
  readonly littleEndian?: boolean;
  readonly nanoseconds?: boolean;
  readonly linkType?: number;
}

export function pcap(packets: readonly TestPacket[], shape: PcapShape = {}): Buffer {
  const { littleEndian = true, nanoseconds = true, linkType = LINKTYPE_NETLINK } = shape;
  const out = new Bytes(littleEndian);
  out
    .u32(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4)
    .u16(2)
    .u16(4)
    .u32(0)
    .u32(0)
    .u32(65536)
    .u32(linkType);
  for (const { timeUs, bytes, realBytes = bytes.length } of packets)
    out
      .u32(Math.floor(timeUs / 1e6))
      .u32((timeUs % 1e6) * (nanoseconds ? 1000 : 1))
      .u32(bytes.length)
      .u32(realBytes)
      .raw(bytes);
  return out.done();
}

export interface PcapngShape {
  readonly littleEndian?: boolean;
  readonly linkType?: number;
  readonly snaplenBytes?: number;
  /** Value of if_tsresol; 6 (microseconds) when it is not given. */
  readonly tsresol?: number;
  readonly tsoffsetSeconds?: bigint;
  /** Simple packet blocks, which have no time. */
  readonly simple?: boolean;
}

/** One section with one interface, between blocks of other types. */
export function pcapng(packets: readonly TestPacket[], shape: PcapngShape = {}): Buffer {
  const { littleEndian = true, simple = false } = shape;
  const parts = [
    block(0x0a0d0d0a, littleEndian, (out) =>
      out.u32(0x1a2b3c4d).u16(1).u16(0).u32(0xffffffff).u32(0xffffffff),
    ),
    interfaceBlock(shape),
    block(0x0bad, littleEndian, (out) => out.raw(Uint8Array.of(1, 2, 3))),
  ];
  for (const { timeUs, bytes, realBytes = bytes.length } of packets) {
    if (simple) {
      parts.push(block(3, littleEndian, (out) => out.u32(realBytes).raw(bytes)));
      continue;
    }
    const units = unitsOf(timeUs, shape);
    parts.push(
      block(6, littleEndian, (out) =>
        out
          .u32(0)
          .u32(Number(units >> 32n))
          .u32(Number(units & 0xffffffffn))
          .u32(bytes.length)
          .u32(realBytes)
          .raw(bytes),
      ),
    );
  }
  return Buffer.concat(parts);
}

export function interfaceBlock(shape: PcapngShape): Buffer {
  const {
    littleEndian = true,
    linkType = LINKTYPE_NETLINK,
    snaplenBytes = 0,
    tsresol,
    tsoffsetSeconds,
  } = shape;
  return block(1, littleEndian, (out) => {
    out.u16(linkType).u16(0).u32(snaplenBytes);
    out.u16(2).u16(6).raw(Buffer.from('nlmon0')).pad(); // if_name: not ours to read
    if (tsresol !== undefined) out.u16(9).u16(1).raw(Uint8Array.of(tsresol)).pad();
    if (tsoffsetSeconds !== undefined) out.u16(14).u16(8).i64(tsoffsetSeconds);
    out.u32(0);
  });
}

function unitsOf(timeUs: number, { tsresol = 6, tsoffsetSeconds = 0n }: PcapngShape): bigint {
  const unitsPerSecond = (tsresol & 0x80 ? 2n : 10n) ** BigInt(tsresol & 0x7f);
  const us = BigInt(timeUs) - tsoffsetSeconds * 1_000_000n;
  // Rounded up, so that flooring gives the microsecond back where the unit is a finer one.
  return (us * unitsPerSecond + 999_999n) / 1_000_000n;
}

function block(type: number, littleEndian: boolean, fill: (out: Bytes) => void): Buffer {
  const body = new Bytes(littleEndian);
  fill(body);
  const padded = body.pad().done();
  return new Bytes(littleEndian)
    .u32(type)
    .u32(padded.length + 12)
    .raw(padded)
    .u32(padded.length + 12)
    .done();
}

/** A cooked packet around netlink bytes. */
export function cooked(
  netlink: Uint8Array,
  type: number = PacketType.toUser,
  family = NETLINK_NETFILTER,
): Buffer {
  return new Bytes(false).u16(type).u16(824).u16(0).u32(0).u32(0).u16(family).raw(netlink).done();
}

/** `count` messages of a synthetic trace, each as a netlink message with its time. */
export function messages(count: number, seed = 1): TestPacket[] {
  const all: TestPacket[] = [];
  generateTrace({ events: count, seed, rate: 50 }, (event) => {
    const bytes = new Uint8Array(256);
    const length = writeMessage(event, new DataView(bytes.buffer), bytes, 0);
    all.push({ timeUs: event.timeUs, bytes: bytes.subarray(0, length) });
  });
  return all;
}

/** The messages as cooked packets on their way to user space. */
export function packetsOf(all: readonly TestPacket[]): TestPacket[] {
  return all.map(({ timeUs, bytes }) => ({ timeUs, bytes: cooked(bytes) }));
}

/** The same message with other words in its netlink header. */
export function withHeader(
  bytes: Uint8Array,
  { lengthBytes, type, flags }: { lengthBytes?: number; type?: number; flags?: number },
): Uint8Array {
  const changed = Uint8Array.from(bytes);
  const view = new DataView(changed.buffer);
  if (lengthBytes !== undefined) view.setUint32(0, lengthBytes, true);
  if (type !== undefined) view.setUint16(4, type, true);
  if (flags !== undefined) view.setUint16(6, flags, true);
  return changed;
}

/**
 * Everything a reader finds, copied out of its borrowed memory. `readBytes` is how much each read of the file
 * gives.
 */
export async function readAll(file: Uint8Array, readBytes = 65536): Promise<Required<TestPacket>[]> {
  const { packets, error } = await readUntilError(file, readBytes);
  if (error !== undefined) throw error;
  return packets;
}

export async function readUntilError(
  file: Uint8Array,
  readBytes = 65536,
): Promise<{ packets: Required<TestPacket>[]; error: unknown; input: ByteInput }> {
  const input = new ByteInput(new MemoryFeed(file, readBytes));
  const reader = new PacketReader(input, 'x.pcap');
  const packets: Required<TestPacket>[] = [];
  try {
    do {
      while (reader.next()) {
        const { timeUs, view, from, capturedBytes, realBytes } = reader.packet;
        packets.push({
          timeUs,
          bytes: new Uint8Array(view.buffer.slice(from, from + capturedBytes)),
          realBytes,
        });
      }
    } while (await reader.fill());
    return { packets, error: undefined, input };
  } catch (error) {
    return { packets, error, input };
  }
}

export class MemoryFeed implements ByteFeed {
  #position = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly readBytes: number,
  ) {}

  read(into: Uint8Array, at: number, length: number): number {
    const part = this.bytes.subarray(this.#position, this.#position + Math.min(length, this.readBytes));
    into.set(part, at);
    this.#position += part.length;
    return part.length;
  }

  close(): void {}
}

export function captureFile(context: TestContext, bytes: Uint8Array): string {
  const path = join(temporaryDirectory(context), 'messages.pcap');
  writeFileSync(path, bytes);
  return path;
}

class Bytes {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  constructor(readonly littleEndian: boolean) {}

  u16(value: number): this {
    return this.#number(2, (view) => view.setUint16(0, value, this.littleEndian));
  }

  u32(value: number): this {
    return this.#number(4, (view) => view.setUint32(0, value, this.littleEndian));
  }

  i64(value: bigint): this {
    return this.#number(8, (view) => view.setBigInt64(0, value, this.littleEndian));
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }

  /** Zeros up to a multiple of 4. */
  pad(): this {
    return this.raw(new Uint8Array(-this.#length & 3));
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #number(bytes: number, write: (view: DataView) => void): this {
    const view = new DataView(new ArrayBuffer(bytes));
    write(view);
    return this.raw(new Uint8Array(view.buffer));
  }
}

/** Three different events of one time. */
export const threeEvents = messages(3).map(({ bytes }) => ({ timeUs: 1_700_000_000_123_456, bytes }));

/** A packet of their time around any netlink bytes. */
export function packetOf(bytes: Uint8Array, type?: number, family?: number): TestPacket {
  return { timeUs: threeEvents[0].timeUs, bytes: cooked(bytes, type, family) };
}
