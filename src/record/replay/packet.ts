/** What the two capture formats have in common. */
import { DamageError } from '../../base/errors.js';

/** Link type of an nlmon interface. */
export const LINKTYPE_NETLINK = 253;

/** One packet; the object and the bytes are borrowed until the next is asked for. */
export interface Packet {
  /** Microseconds since the epoch; of a packet without a time that of the one before it. */
  timeUs: number;
  /** The captured bytes are [from, from + capturedBytes) of `view`. */
  view: DataView;
  from: number;
  capturedBytes: number;
  /** As it was on the link. */
  realBytes: number;
}

/** One of the two formats, after its header. */
export interface CaptureFormat {
  /**
   * Take one record at `at` of `view`, of which `available` bytes are there; `offset` is its place in the
   * file. Answers its length, or, negated, the bytes that are needed to tell (nothing is taken then). Fills
   * `packet`, with capturedBytes 0 when the record is not a packet. Throws DamageError 'bad-capture'.
   */
  take(view: DataView, at: number, available: number, offset: number, packet: Packet): number;
}

/**
 * Netlink datagrams never exceed 32 KiB; 1 MiB is generous. Lengths in the file are never trusted beyond it.
 */
const RECORD_BYTES_MAX = 1024 * 1024;
/** The log holds times up to here, the year 2112 (src/record/conntrack/event-time.ts). */
const TIME_US_MAX = 2 ** 52 - 1;

export function checkLength(file: string, offset: number, recordBytes: number): void {
  if (recordBytes > RECORD_BYTES_MAX)
    throw badCapture(file, offset, `has a packet of ${recordBytes} bytes, more than any netlink message`);
}

export function checkTime(file: string, offset: number, timeUs: number): void {
  if (!(timeUs >= 0 && timeUs <= TIME_US_MAX))
    throw badCapture(file, offset, 'has a packet with an impossible time');
}

export function checkLinkType(file: string, offset: number, linkType: number): void {
  if (linkType !== LINKTYPE_NETLINK)
    throw badCapture(
      file,
      offset,
      `has link type ${linkType}, not ${LINKTYPE_NETLINK} (capture on an nlmon interface)`,
    );
}

/** A double with the exact microseconds of u64 nanoseconds: 2^32 = 4294967 x 1000 + 296. */
export function nanosecondsToUs(high: number, low: number): number {
  return high * 4294967 + Math.floor((high * 296 + low) / 1000);
}

export function badCapture(file: string, offsetBytes: number, what: string): DamageError {
  const where = offsetBytes === 0 ? '' : `offset ${offsetBytes}: `;
  return new DamageError('bad-capture', { file, offsetBytes }, where + what);
}
