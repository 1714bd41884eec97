/**
 * Entries of the ancestor's files: decoding them into columns, and judging whether the bytes at an offset can
 * be one. Format 2 has no checksum and no marker, so after a short write of the ancestor's (its first bug)
 * plausibility is all there is.
 *
 * Event, 33 bytes: type u8, time {sec u32, usec u32}, then original source, original destination, reply
 * source and reply destination as {ip u32, port u16}. Connection, 40 bytes: start {sec, usec}, end {sec,
 * usec} (0 = unknown), the same four.
 */
import { AF_INET, Column, type EventBatch, RecordFlag, RecordKind, TimeSource } from '../../event/batch.js';
import { LEGACY_CONNECTION_BYTES, LEGACY_EVENT_BYTES } from './legacy-header.js';

const SECONDS_PER_DAY = 86_400;
/**
 * The next entry may be this much younger (a quiet machine). Larger jumps need following entries that agree.
 */
const MAX_AHEAD_SECONDS = 400 * SECONDS_PER_DAY;
/** Entries that must agree before a place in the middle of damaged bytes is believed ... */
const WITNESSES = 3;
/** ... and when their times do not continue those before the damage. */
export const FAR_WITNESSES = 8;

/** What differs between the two kinds of files. */
export interface EntryShape {
  readonly squeezed: boolean;
  readonly entryBytes: number;
  /** Offset of the time by which entries are compared, and of the four endpoints. */
  readonly timeAt: number;
  readonly endpointsAt: number;
  /**
   * The next entry may be this much older (clocks are set back; connections are not in the order of their
   * starts).
   */
  readonly maxBackSeconds: number;
}

export const eventShape: EntryShape = {
  squeezed: false,
  entryBytes: LEGACY_EVENT_BYTES,
  timeAt: 1,
  endpointsAt: 9,
  maxBackSeconds: SECONDS_PER_DAY,
};
export const connectionShape: EntryShape = {
  squeezed: true,
  entryBytes: LEGACY_CONNECTION_BYTES,
  timeAt: 0,
  endpointsAt: 16,
  maxBackSeconds: MAX_AHEAD_SECONDS,
};

/** Can these bytes be an entry at all? */
function isWellFormed(view: DataView, at: number, shape: EntryShape): boolean {
  const seconds = view.getUint32(at + shape.timeAt);
  if (seconds === 0 || view.getUint32(at + shape.timeAt + 4) >= 1_000_000) return false;
  if (!shape.squeezed) return view.getUint8(at) <= 7;
  const endSeconds = view.getUint32(at + 8);
  const endMicroseconds = view.getUint32(at + 12);
  if (endSeconds === 0) return endMicroseconds === 0;
  return endMicroseconds < 1_000_000 && endSeconds >= seconds - SECONDS_PER_DAY;
}

/** Can the entry at `at` follow one of `previousSeconds`? */
function canFollow(view: DataView, at: number, shape: EntryShape, previousSeconds: number): boolean {
  const ahead = view.getUint32(at + shape.timeAt) - previousSeconds;
  return ahead >= -shape.maxBackSeconds && ahead <= MAX_AHEAD_SECONDS;
}

/** Can the entry at `at` stand where an entry is expected? `end` is where the readable bytes end. */
export function isInStep(
  view: DataView,
  at: number,
  end: number,
  shape: EntryShape,
  previousSeconds: number,
): boolean {
  return (
    isWellFormed(view, at, shape) &&
    (canFollow(view, at, shape, previousSeconds) || isTimeJump(view, at, end, shape, previousSeconds))
  );
}

/**
 * Do entries begin again at `at`, behind damage? A place that is whole entries away from where it began needs
 * no other witness: what was overwritten did not shift what follows.
 */
export function resumes(
  view: DataView,
  at: number,
  end: number,
  shape: EntryShape,
  previousSeconds: number,
  isWholeEntriesAway: boolean,
): boolean {
  return (
    resumesInTime(view, at, end, shape, previousSeconds, isWholeEntriesAway ? 1 : WITNESSES) ||
    (at + FAR_WITNESSES * shape.entryBytes <= end && isTimeJump(view, at, end, shape, previousSeconds))
  );
}

function resumesInTime(
  view: DataView,
  at: number,
  end: number,
  shape: EntryShape,
  previousSeconds: number,
  witnesses: number,
): boolean {
  return (
    at + shape.entryBytes <= end &&
    isWellFormed(view, at, shape) &&
    canFollow(view, at, shape, previousSeconds) &&
    agree(view, at, end, shape, witnesses)
  );
}

/**
 * Was the clock set here? Entries of the same hosts look alike even when they are read a few bytes off, so
 * that far times which agree with each other are only believed when no reading nearby continues the time
 * before.
 */
function isTimeJump(
  view: DataView,
  at: number,
  end: number,
  shape: EntryShape,
  previousSeconds: number,
): boolean {
  if (!agree(view, at, end, shape, FAR_WITNESSES)) return false;
  for (let near = Math.max(0, at - shape.entryBytes + 1); near < at + shape.entryBytes; near++)
    if (near !== at && resumesInTime(view, near, end, shape, previousSeconds, WITNESSES)) return false;
  return true;
}

/**
 * Are the next `witnesses` entries (or as many as there is room for before `end`) well formed, each fit to
 * follow the last?
 */
function agree(view: DataView, at: number, end: number, shape: EntryShape, witnesses: number): boolean {
  const room = Math.min(witnesses, Math.floor((end - at) / shape.entryBytes));
  for (let i = 0; i < room; i++, at += shape.entryBytes) {
    if (!isWellFormed(view, at, shape)) return false;
    const before = at - shape.entryBytes;
    if (i > 0 && !canFollow(view, at, shape, view.getUint32(before + shape.timeAt))) return false;
  }
  return room > 0;
}

/**
 * Can these bytes, fewer than an entry's, be the beginning of one? The upper half of the seconds changes
 * every 18 hours only.
 */
export function isTornEntry(bytes: Uint8Array, shape: EntryShape, previousSeconds: number): boolean {
  if (bytes.length >= shape.entryBytes || (!shape.squeezed && bytes[0] > 7)) return false;
  const [high, low] = bytes.subarray(shape.timeAt);
  return (
    (high ?? previousSeconds >>> 24) === previousSeconds >>> 24 &&
    (low ?? (previousSeconds >>> 16) & 255) === ((previousSeconds >>> 16) & 255)
  );
}

/** True when one side of the connection is not translated, so that one tuple confirms the other. */
export function isMirrored(view: DataView, at: number, shape: EntryShape): boolean {
  const origSrc = at + shape.endpointsAt;
  const [origDst, replySrc, replyDst] = [origSrc + 6, origSrc + 12, origSrc + 18];
  return sameEndpoint(view, origDst, replySrc) || sameEndpoint(view, origSrc, replyDst);
}

function sameEndpoint(view: DataView, a: number, b: number): boolean {
  return view.getUint32(a) === view.getUint32(b) && view.getUint16(a + 4) === view.getUint16(b + 4);
}

/** Append the entry at `at` to the batch, which has room. Runs once per entry. */
export function decodeEntry(
  view: DataView,
  at: number,
  shape: EntryShape,
  proto: number,
  batch: EventBatch,
): void {
  const row = batch.count++;
  const timeAt = at + shape.timeAt;
  batch.timeUs[row] = view.getUint32(timeAt) * 1e6 + view.getUint32(timeAt + 4);
  if (shape.squeezed) {
    const endUs = view.getUint32(at + 8) * 1e6 + view.getUint32(at + 12);
    batch.kind[row] = RecordKind.connection;
    batch.flags[row] = endUs === 0 ? RecordFlag.endUnseen : 0;
    batch.endUs[row] = endUs;
    batch.present |= Column.endUs;
  } else {
    const type = view.getUint8(at);
    batch.kind[row] = type & 3;
    batch.flags[row] = type & 4 ? RecordFlag.replied : 0;
  }
  batch.timeSource[row] = TimeSource.unknown;
  batch.family[row] = AF_INET;
  batch.proto[row] = proto;
  const { addresses4 } = batch;
  const endpoint = at + shape.endpointsAt;
  batch.origSrc[row] = addresses4.intern(view.getUint32(endpoint));
  batch.origSrcPort[row] = view.getUint16(endpoint + 4);
  batch.origDst[row] = addresses4.intern(view.getUint32(endpoint + 6));
  batch.origDstPort[row] = view.getUint16(endpoint + 10);
  batch.replySrc[row] = addresses4.intern(view.getUint32(endpoint + 12));
  batch.replySrcPort[row] = view.getUint16(endpoint + 16);
  batch.replyDst[row] = addresses4.intern(view.getUint32(endpoint + 18));
  batch.replyDstPort[row] = view.getUint16(endpoint + 22);
}
