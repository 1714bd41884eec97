/** pcapng files. https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html */
import {
  badCapture,
  type CaptureFormat,
  checkLength,
  checkLinkType,
  checkTime,
  nanosecondsToUs,
  type Packet,
} from './packet.js';

const SECTION = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const BlockType = { interface: 1, simplePacket: 3, enhancedPacket: 6 } as const;
/** Type, length and (of a section) byte order; the shortest block has type, length and length again. */
const BLOCK_BYTES_MIN = 12;
const INTERFACE_BYTES_MIN = 20;
const SIMPLE_PACKET_BYTES_MIN = 16;
const ENHANCED_PACKET_BYTES_MIN = 32;
const OPTION_TSRESOL = 9;
const OPTION_TSOFFSET = 14;
/** Whoever describes more of them in one section wants to fill our memory. */
const INTERFACES_MAX = 4096;

interface Interface {
  readonly linkType: number;
  /** Longest captured part of a packet; 0 = no limit. */
  readonly snaplenBytes: number;
  readonly unitsPerSecond: bigint;
  /** Added to every time. */
  readonly offsetSeconds: number;
}

export class Pcapng implements CaptureFormat {
  #littleEndian = true;
  #interfaces: Interface[] = [];

  constructor(readonly file: string) {}

  static is(header: DataView): boolean {
    return header.getUint32(0, true) === SECTION;
  }

  take(view: DataView, at: number, available: number, offset: number, packet: Packet): number {
    if (available < BLOCK_BYTES_MIN) return -BLOCK_BYTES_MIN;
    packet.capturedBytes = 0;
    const isSection = view.getUint32(at, true) === SECTION;
    const littleEndian = isSection ? this.#byteOrder(view, at, offset) : this.#littleEndian;
    const blockBytes = view.getUint32(at + 4, littleEndian);
    if (blockBytes < BLOCK_BYTES_MIN || blockBytes % 4 !== 0)
      throw badCapture(this.file, offset, 'has a block with an impossible length');
    checkLength(this.file, offset, blockBytes);
    if (available < blockBytes) return -blockBytes;
    const type = view.getUint32(at, littleEndian);
    if (isSection) {
      this.#littleEndian = littleEndian;
      this.#interfaces = [];
    } else if (type === BlockType.interface) this.#interface(view, at, blockBytes, offset);
    else if (type === BlockType.enhancedPacket) this.#enhancedPacket(view, at, blockBytes, offset, packet);
    else if (type === BlockType.simplePacket) this.#simplePacket(view, at, blockBytes, offset, packet);
    return blockBytes;
  }

  #byteOrder(view: DataView, at: number, offset: number): boolean {
    if (view.getUint32(at + 8, true) === BYTE_ORDER) return true;
    if (view.getUint32(at + 8, false) === BYTE_ORDER) return false;
    throw badCapture(this.file, offset, 'has a section of unknown byte order');
  }

  #interface(view: DataView, at: number, blockBytes: number, offset: number): void {
    this.#atLeast(blockBytes, INTERFACE_BYTES_MIN, offset);
    if (this.#interfaces.length === INTERFACES_MAX)
      throw badCapture(this.file, offset, `has more than ${INTERFACES_MAX} interfaces`);
    this.#interfaces.push(readInterface(view, at, at + blockBytes - 4, this.#littleEndian));
  }

  #enhancedPacket(view: DataView, at: number, blockBytes: number, offset: number, packet: Packet): void {
    this.#atLeast(blockBytes, ENHANCED_PACKET_BYTES_MIN, offset);
    const littleEndian = this.#littleEndian;
    const { linkType, unitsPerSecond, offsetSeconds } = this.#described(
      view.getUint32(at + 8, littleEndian),
      offset,
    );
    checkLinkType(this.file, offset, linkType);
    const high = view.getUint32(at + 12, littleEndian);
    const low = view.getUint32(at + 16, littleEndian);
    packet.timeUs = microseconds(high, low, unitsPerSecond) + offsetSeconds * 1e6;
    checkTime(this.file, offset, packet.timeUs);
    const capturedBytes = view.getUint32(at + 20, littleEndian);
    if (capturedBytes > blockBytes - ENHANCED_PACKET_BYTES_MIN)
      throw badCapture(this.file, offset, 'has a packet longer than its block');
    packet.from = at + 28;
    packet.capturedBytes = capturedBytes;
    packet.realBytes = view.getUint32(at + 24, littleEndian);
  }

  /** No time of its own, and always of the first interface. */
  #simplePacket(view: DataView, at: number, blockBytes: number, offset: number, packet: Packet): void {
    this.#atLeast(blockBytes, SIMPLE_PACKET_BYTES_MIN, offset);
    const { linkType, snaplenBytes } = this.#described(0, offset);
    checkLinkType(this.file, offset, linkType);
    packet.realBytes = view.getUint32(at + 8, this.#littleEndian);
    packet.from = at + 12;
    packet.capturedBytes = Math.min(
      packet.realBytes,
      blockBytes - SIMPLE_PACKET_BYTES_MIN,
      snaplenBytes === 0 ? packet.realBytes : snaplenBytes,
    );
  }

  #described(index: number, offset: number): Interface {
    const described = this.#interfaces[index];
    if (described === undefined)
      throw badCapture(this.file, offset, 'has a packet of an interface that it does not describe');
    return described;
  }

  #atLeast(blockBytes: number, minimum: number, offset: number): void {
    if (blockBytes < minimum) throw badCapture(this.file, offset, 'has a block with an impossible length');
  }
}

function readInterface(view: DataView, at: number, end: number, littleEndian: boolean): Interface {
  let unitsPerSecond = 1_000_000n;
  let offsetSeconds = 0;
  for (let option = at + 16; option + 4 <= end; ) {
    const code = view.getUint16(option, littleEndian);
    const bytes = view.getUint16(option + 2, littleEndian);
    const value = option + 4;
    if (code === 0 || value + bytes > end) break;
    if (code === OPTION_TSRESOL && bytes >= 1) {
      const resolution = view.getUint8(value);
      unitsPerSecond = (resolution & 0x80 ? 2n : 10n) ** BigInt(resolution & 0x7f);
    } else if (code === OPTION_TSOFFSET && bytes >= 8)
      offsetSeconds = Number(view.getBigInt64(value, littleEndian));
    option = value + ((bytes + 3) & ~3);
  }
  return {
    linkType: view.getUint16(at + 8, littleEndian),
    snaplenBytes: view.getUint32(at + 12, littleEndian),
    unitsPerSecond,
    offsetSeconds,
  };
}

/**
 * A double cannot hold today's time in nanoseconds; the two usual units are computed in halves, the others
 * are rare.
 */
function microseconds(high: number, low: number, unitsPerSecond: bigint): number {
  if (unitsPerSecond === 1_000_000n) return high * 2 ** 32 + low;
  if (unitsPerSecond === 1_000_000_000n) return nanosecondsToUs(high, low);
  return Number((((BigInt(high) << 32n) | BigInt(low)) * 1_000_000n) / unitsPerSecond);
}
