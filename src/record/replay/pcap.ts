/** pcap files. https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html */
import { type CaptureFormat, checkLength, checkLinkType, type Packet } from './packet.js';

const MICROSECOND_MAGIC = 0xa1b2c3d4;
const NANOSECOND_MAGIC = 0xa1b23c4d;
export const PCAP_HEADER_BYTES = 24;
export const PCAP_PACKET_HEADER_BYTES = 16;

/** Fields of the file header and of the header before each packet. */
const Header = { magic: 0, major: 4, minor: 6, snaplen: 16, linkType: 20 } as const;
const PacketHeader = { seconds: 0, fraction: 4, capturedBytes: 8, realBytes: 12 } as const;

export class Pcap implements CaptureFormat {
  readonly #littleEndian: boolean;
  readonly #nanoseconds: boolean;

  /** `header` has PCAP_HEADER_BYTES or more. Throws DamageError 'bad-capture' on another link type. */
  constructor(
    readonly file: string,
    header: DataView,
  ) {
    this.#littleEndian = isMagic(header.getUint32(Header.magic, true));
    this.#nanoseconds = header.getUint32(Header.magic, this.#littleEndian) === NANOSECOND_MAGIC;
    // The upper half is about frame check sequences.
    checkLinkType(file, 0, header.getUint32(Header.linkType, this.#littleEndian) & 0xffff);
  }

  static is(header: DataView): boolean {
    return isMagic(header.getUint32(0, true)) || isMagic(header.getUint32(0, false));
  }

  take(view: DataView, at: number, available: number, offset: number, packet: Packet): number {
    if (available < PCAP_PACKET_HEADER_BYTES) return -PCAP_PACKET_HEADER_BYTES;
    const littleEndian = this.#littleEndian;
    const capturedBytes = view.getUint32(at + PacketHeader.capturedBytes, littleEndian);
    const recordBytes = PCAP_PACKET_HEADER_BYTES + capturedBytes;
    checkLength(this.file, offset, recordBytes);
    if (available < recordBytes) return -recordBytes;
    const fraction = view.getUint32(at + PacketHeader.fraction, littleEndian);
    packet.timeUs =
      view.getUint32(at + PacketHeader.seconds, littleEndian) * 1e6 +
      (this.#nanoseconds ? Math.floor(fraction / 1000) : fraction);
    packet.from = at + PCAP_PACKET_HEADER_BYTES;
    packet.capturedBytes = capturedBytes;
    packet.realBytes = view.getUint32(at + PacketHeader.realBytes, littleEndian);
    return recordBytes;
  }
}

/** The header of a file of nanoseconds in little-endian order, as MessageSaver writes it. */
export function writePcapHeader(view: DataView, snaplenBytes: number, linkType: number): void {
  view.setUint32(Header.magic, NANOSECOND_MAGIC, true);
  view.setUint16(Header.major, 2, true);
  view.setUint16(Header.minor, 4, true);
  view.setUint32(Header.snaplen, snaplenBytes, true);
  view.setUint32(Header.linkType, linkType, true);
}

export function writePcapPacketHeader(
  view: DataView,
  at: number,
  timeUs: number,
  capturedBytes: number,
  realBytes: number,
): void {
  const seconds = Math.floor(timeUs / 1e6);
  view.setUint32(at + PacketHeader.seconds, seconds, true);
  view.setUint32(at + PacketHeader.fraction, Math.floor(timeUs - seconds * 1e6) * 1000, true);
  view.setUint32(at + PacketHeader.capturedBytes, capturedBytes, true);
  view.setUint32(at + PacketHeader.realBytes, realBytes, true);
}

function isMagic(magic: number): boolean {
  return magic === MICROSECOND_MAGIC || magic === NANOSECOND_MAGIC;
}
