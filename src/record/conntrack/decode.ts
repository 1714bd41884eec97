/**
 * One ctnetlink datagram to one row of an EventBatch. Runs on the parser thread for every message (hundreds
 * of thousands a second in a flood): no object, closure, string or exception here, and no read outside the
 * slot. What cannot be read costs a counter and the row is flagged `partial`; only a message without any
 * readable tuple is not recorded.
 *
 * How a message is laid out: src/record/netlink/message.ts and attributes.ts.
 */
import { invariant } from '../../base/errors.js';
import { type EventBatch, RecordFlag, RecordKind, TimeSource } from '../../event/batch.js';
import { IPS_SEEN_REPLY } from '../netlink/constants.js';
import { FIRST_ATTRIBUTE_OFFSET, MSG_CT_DELETE, MSG_CT_NEW, NLM_F_NEW_ENTRY } from '../netlink/message.js';
import { EVENT_TIME, STOP_TIME } from './event-time.js';
import { readPlainEvent } from './plain-event.js';
import { readRare, readWalked, Walked } from './walk.js';

/** What a decoder has seen so far; plain counts. */
export interface DecodeCounters {
  starts: number;
  ends: number;
  /** NEW messages without NLM_F_CREATE|NLM_F_EXCL: not recorded. */
  updates: number;
  /** Other subsystems and message types. */
  otherTypes: number;
  /** Not recorded: no tuple could be read. */
  malformed: number;
  /** Recorded although something in them could not be read. */
  partial: number;
  /** Messages longer than their slot: recorded as far as they were received. */
  truncated: number;
  unknownAttributes: number;
}

export function createDecodeCounters(): DecodeCounters {
  return {
    starts: 0,
    ends: 0,
    updates: 0,
    otherTypes: 0,
    malformed: 0,
    partial: 0,
    truncated: 0,
    unknownAttributes: 0,
  };
}

/**
 * A DESTROY that could not be delivered is sent again every 10 ms, and gets a new time stamp each time
 * (CTA_TIMESTAMP_EVENT, seen on 6.18); one of an expired entry is stamped when the collector finds it.
 * CTA_TIMESTAMP stop is when the entry really ended.
 */
const LATE_US = 5000;

/**
 * Elements: times of the event and of the entry's end. In an array, because a variable gets a new box for
 * each double.
 */
const times = new Float64Array(2);
let viewedBytes: Uint8Array = new Uint8Array(0);
let words: Uint32Array = new Uint32Array(0);
let view = new DataView(words.buffer);

/**
 * Decode the datagram at `offset` of `bytes`, both on a word boundary as ring slots are (attributes are
 * aligned to words, so that headers and values are read as words): `lengthBytes` as it was sent, of which at
 * most `slotBytes` are there. Adds no row or one per message; the caller guarantees room for one, and
 * conntrack events come one a datagram. `timeUs` and `timeSource` are used when the message carries no time
 * of its own.
 */
export function decodeDatagram(
  bytes: Uint8Array,
  offset: number,
  lengthBytes: number,
  slotBytes: number,
  timeUs: number,
  timeSource: number,
  batch: EventBatch,
  counters: DecodeCounters,
): void {
  if (bytes !== viewedBytes) viewWords(bytes, offset);
  const cut = lengthBytes > slotBytes;
  if (cut) counters.truncated++;
  const end = offset + (cut ? slotBytes : lengthBytes);
  if (end - offset < FIRST_ATTRIBUTE_OFFSET) {
    counters.malformed++;
    return;
  }
  const typeAndFlags = words[(offset >>> 2) + 1];
  const type = typeAndFlags & 0xffff;
  let kind: number = RecordKind.end;
  if (type === MSG_CT_NEW) {
    if (((typeAndFlags >>> 16) & NLM_F_NEW_ENTRY) !== NLM_F_NEW_ENTRY) {
      counters.updates++;
      return;
    }
    kind = RecordKind.start;
  } else if (type !== MSG_CT_DELETE) {
    counters.otherTypes++;
    return;
  }
  const messageBytes = words[offset >>> 2];
  const messageEnd = Math.min(end, offset + messageBytes);
  // Header and datagram must agree on the length, but for padding; else one of them lost something.
  const partly = cut || messageBytes > lengthBytes || lengthBytes - messageBytes > 3;
  decodeMessage(bytes, offset, messageEnd, kind, timeUs, timeSource, partly, batch, counters);
}

/**
 * Decode one message of a table dump, in [offset, end) of `bytes` and on a word boundary, to a row of kind
 * snapshot: what is open at `timeUs`.
 */
export function decodeEntry(
  bytes: Uint8Array,
  offset: number,
  end: number,
  timeUs: number,
  batch: EventBatch,
  counters: DecodeCounters,
): void {
  if (bytes !== viewedBytes) viewWords(bytes, offset);
  decodeMessage(bytes, offset, end, RecordKind.snapshot, timeUs, TimeSource.receive, false, batch, counters);
}

function decodeMessage(
  bytes: Uint8Array,
  offset: number,
  end: number,
  kind: number,
  timeUs: number,
  timeSource: number,
  partly: boolean,
  batch: EventBatch,
  counters: DecodeCounters,
): void {
  const row = batch.count;
  const at = offset + FIRST_ATTRIBUTE_OFFSET;
  let partial = partly;
  const shape = readPlainEvent(words, view, at, end, batch, row, times);
  if (shape === undefined) {
    const walked = readWalked(bytes, words, at, end, batch, row, times, counters);
    if (walked === Walked.nothing) {
      counters.malformed++;
      return;
    }
    partial ||= walked === Walked.partly;
  } else if (shape.rareCount > 0) readRare(shape, bytes, end - shape.lengthBytes, batch, row);
  batch.count = row + 1;
  if (partial) counters.partial++;
  const eventUs = times[EVENT_TIME];
  const stopUs = times[STOP_TIME];
  batch.kind[row] = kind;
  batch.flags[row] =
    (batch.status[row] & IPS_SEEN_REPLY ? RecordFlag.replied : 0) | (partial ? RecordFlag.partial : 0);
  if (kind === RecordKind.end && stopUs !== 0 && eventUs - stopUs >= LATE_US)
    setTime(batch, row, stopUs, TimeSource.entry);
  else if (eventUs !== 0) setTime(batch, row, eventUs, TimeSource.event);
  else if (kind === RecordKind.end && stopUs !== 0) setTime(batch, row, stopUs, TimeSource.entry);
  else if (kind === RecordKind.start && batch.startUs[row] !== 0)
    setTime(batch, row, batch.startUs[row], TimeSource.entry);
  else setTime(batch, row, timeUs, timeSource);
  if (kind === RecordKind.start) counters.starts++;
  else if (kind === RecordKind.end) counters.ends++;
}

/** The same memory as 32-bit words; kept, because a recording reads from one buffer. */
function viewWords(bytes: Uint8Array, offset: number): void {
  invariant(((bytes.byteOffset | offset) & 3) === 0, 'decode: message not on a word boundary');
  viewedBytes = bytes;
  words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function setTime(batch: EventBatch, row: number, timeUs: number, timeSource: number): void {
  batch.timeUs[row] = timeUs;
  batch.timeSource[row] = timeSource;
}
