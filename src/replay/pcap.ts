/**
 * Packets of a pcap or pcapng file, streamed. https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html,
 * .../draft-ietf-opsawg-pcapng-02.html. Lengths in the file are never trusted for an allocation.
 */
import { DamageError } from '../errors.js';
import type { ByteInput } from '../log/input.js';

/** Link type of an nlmon interface. */
export const LINKTYPE_NETLINK = 253;

/** One packet; the object and the bytes are borrowed until the next is asked for. */
export interface Packet {
  timeUs: number;
  /** The captured bytes are [from, from + capturedBytes) of `bytes`. */
  bytes: Uint8Array;
  from: number;
  capturedBytes: number;
  /** As it was on the link. */
  realBytes: number;
}

const PCAP_MAGIC_US = 0xa1b2c3d4;
const PCAP_MAGIC_NS = 0xa1b23c4d;
const PCAPNG_SECTION = 0x0a0d0d0a;
const PCAPNG_BYTE_ORDER = 0x1a2b3c4d;
const PCAP_HEADER_BYTES = 24;
const PCAP_PACKET_HEADER_BYTES = 16;
/** Netlink datagrams never exceed 32 KiB; 1 MiB is generous. */
const PACKET_BYTES_MAX = 1024 * 1024;

const BlockType = { interface: 1, simplePacket: 3, enhancedPacket: 6 } as const;
const OPTION_TSRESOL = 9;

/** Packets in file order. DamageError 'bad-capture' where the file is none, is of another link type, or is damaged. */
export async function* packets(input: ByteInput, file: string): AsyncGenerator<Packet, void, void> {
  const available = await input.need(12);
  if (available < 12) throw bad(file, 0, 'is too short for a capture');
  const view = new DataView(input.buffer.buffer, input.start, 12);
  const magic = view.getUint32(0, true);
  if (magic === PCAPNG_SECTION) yield* pcapng(input, file);
  else if (isPcap(magic)) yield* pcap(input, file, true);
  else if (isPcap(view.getUint32(0, false))) yield* pcap(input, file, false);
  else throw bad(file, 0, 'is neither pcap nor pcapng');
}

function isPcap(magic: number): boolean {
  return magic === PCAP_MAGIC_US || magic === PCAP_MAGIC_NS;
}

async function* pcap(
  input: ByteInput,
  file: string,
  littleEndian: boolean,
): AsyncGenerator<Packet, void, void> {
  if ((await input.need(PCAP_HEADER_BYTES)) < PCAP_HEADER_BYTES)
    throw bad(file, 0, 'is cut within its header');
  let view = viewAt(input, PCAP_HEADER_BYTES);
  const nanoseconds = view.getUint32(0, littleEndian) === PCAP_MAGIC_NS;
  checkLinkType(file, view.getUint32(20, littleEndian) & 0xffff);
  input.advance(PCAP_HEADER_BYTES);
  const packet = emptyPacket();
  for (;;) {
    const available = await input.need(PCAP_PACKET_HEADER_BYTES);
    if (available === 0) return;
    if (available < PCAP_PACKET_HEADER_BYTES) throw bad(file, input.offset, 'is cut within a packet header');
    view = viewAt(input, PCAP_PACKET_HEADER_BYTES);
    const fraction = view.getUint32(4, littleEndian);
    packet.timeUs =
      view.getUint32(0, littleEndian) * 1e6 + (nanoseconds ? Math.floor(fraction / 1000) : fraction);
    packet.capturedBytes = view.getUint32(8, littleEndian);
    packet.realBytes = view.getUint32(12, littleEndian);
    const length = PCAP_PACKET_HEADER_BYTES + packet.capturedBytes;
    await take(input, file, length);
    packet.bytes = input.buffer;
    packet.from = input.start + PCAP_PACKET_HEADER_BYTES;
    input.advance(length);
    yield packet;
  }
}

interface Interface {
  readonly linkType: number;
  /** Microseconds per unit of time. */
  readonly unitUs: number;
}

async function* pcapng(input: ByteInput, file: string): AsyncGenerator<Packet, void, void> {
  const packet = emptyPacket();
  let littleEndian = true;
  let interfaces: Interface[] = [];
  for (;;) {
    const available = await input.need(12);
    if (available === 0) return;
    if (available < 12) throw bad(file, input.offset, 'is cut within a block');
    let view = viewAt(input, 12);
    const isSection = view.getUint32(0, true) === PCAPNG_SECTION;
    if (isSection) {
      littleEndian = view.getUint32(8, true) === PCAPNG_BYTE_ORDER;
      if (!littleEndian && view.getUint32(8, false) !== PCAPNG_BYTE_ORDER)
        throw bad(file, input.offset, 'has a section of unknown byte order');
      interfaces = [];
    }
    const type = view.getUint32(0, littleEndian);
    const length = view.getUint32(4, littleEndian);
    if (length < 12 || length % 4 !== 0) throw bad(file, input.offset, 'has a block of impossible length');
    await take(input, file, length);
    view = viewAt(input, length);
    const start = input.start;
    input.advance(length);
    if (isSection) continue;
    if (type === BlockType.interface && length >= 20)
      interfaces.push(readInterface(view, length, littleEndian));
    else if (type === BlockType.enhancedPacket && length >= 32) {
      const { linkType, unitUs } = interfaces[view.getUint32(8, littleEndian)] ?? { linkType: -1, unitUs: 1 };
      checkLinkType(file, linkType);
      const units = view.getUint32(12, littleEndian) * 2 ** 32 + view.getUint32(16, littleEndian);
      packet.timeUs = Math.floor(units * unitUs);
      packet.capturedBytes = Math.min(view.getUint32(20, littleEndian), length - 32);
      packet.realBytes = view.getUint32(24, littleEndian);
      packet.from = start + 28;
    } else if (type === BlockType.simplePacket && length >= 16) {
      checkLinkType(file, interfaces[0]?.linkType ?? -1);
      packet.realBytes = view.getUint32(8, littleEndian);
      packet.capturedBytes = Math.min(packet.realBytes, length - 16);
      packet.from = start + 12;
    } else continue;
    packet.bytes = input.buffer;
    if (packet.capturedBytes > 0) yield packet;
  }
}

function readInterface(view: DataView, length: number, littleEndian: boolean): Interface {
  let unitUs = 1;
  for (let at = 16; at + 4 <= length - 4; ) {
    const code = view.getUint16(at, littleEndian);
    const optionBytes = view.getUint16(at + 2, littleEndian);
    if (code === 0) break;
    if (code === OPTION_TSRESOL && optionBytes >= 1 && at + 5 <= length) {
      const resolution = view.getUint8(at + 4);
      unitUs = 1e6 / (resolution & 0x80 ? 2 ** (resolution & 0x7f) : 10 ** resolution);
    }
    at += 4 + ((optionBytes + 3) & ~3);
  }
  return { linkType: view.getUint16(8, littleEndian), unitUs };
}

async function take(input: ByteInput, file: string, length: number): Promise<void> {
  if (length > PACKET_BYTES_MAX)
    throw bad(file, input.offset, `has a packet of ${length} bytes, more than any netlink message`);
  if ((await input.need(length)) < length) throw bad(file, input.offset, 'is cut within a packet');
}

function checkLinkType(file: string, linkType: number): void {
  if (linkType !== LINKTYPE_NETLINK)
    throw bad(
      file,
      0,
      `has link type ${linkType}, not ${LINKTYPE_NETLINK} (record it on an nlmon interface)`,
    );
}

function viewAt(input: ByteInput, length: number): DataView {
  return new DataView(input.buffer.buffer, input.start, length);
}

function emptyPacket(): Packet {
  return { timeUs: 0, bytes: new Uint8Array(0), from: 0, capturedBytes: 0, realBytes: 0 };
}

function bad(file: string, offsetBytes: number, what: string): DamageError {
  const where = offsetBytes === 0 ? file : `${file}: offset ${offsetBytes}`;
  return new DamageError('bad-capture', file, offsetBytes, `${where}: ${what}`);
}
