/**
 * One ctnetlink datagram to one row of an EventBatch. Runs on the parser thread for every message (hundreds
 * of thousands a second in a flood): no object, closure, string or exception here, and no read outside the
 * slot. What cannot be read costs a counter and the row is flagged `partial`; only a message without any
 * readable tuple is not recorded.
 *
 * Shapes: netlink and attribute headers in host order (little-endian on every machine we run on), payloads
 * big-endian, attributes aligned to 4 bytes. include/uapi/linux/netlink.h, nfnetlink.h,
 * nfnetlink_conntrack.h.
 */
import { invariant } from '../../base/errors.js';
import {
  AF_INET,
  AF_INET6,
  Column,
  type EventBatch,
  RecordFlag,
  RecordKind,
  TCP_STATE_MAX,
  TimeSource,
  ZoneDirection,
} from '../../event/batch.js';
import { PortMeaning, portMeaning } from '../../event/protocols.js';
import { Context, Field, NUMBERS_PER_CONTEXT, OPERATIONS } from './attributes.js';
import { EVENT_US, STOP_US, toMicroseconds, UNBELIEVED_TIME_HIGH } from './event-time.js';
import { plainTuplesBytes, readPlainEvent } from './plain-event.js';
import { swap32 } from './plain-tuples.js';
import { isRare, learnShape, type Shape } from './shapes.js';

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

const NLMSG_HEADER_BYTES = 16;
const NFGENMSG_BYTES = 4;
const ATTRIBUTE_HEADER_BYTES = 4;
/** NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, ..._DELETE */
export const MSG_CT_NEW = 0x0100;
export const MSG_CT_DELETE = 0x0102;
/** NLM_F_CREATE | NLM_F_EXCL: the kernel sets both on a new entry, neither on an update. */
export const NLM_F_NEW_ENTRY = 0x0600;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of the number. */
const NLA_TYPE_MASK = 0x3fff;
export const IPS_SEEN_REPLY = 0x2;
/**
 * A DESTROY that could not be delivered is sent again every 10 ms, and each time stamped anew
 * (CTA_TIMESTAMP_EVENT, seen on 6.18); one of an expired entry is stamped when the collector finds it.
 * CTA_TIMESTAMP stop is when the entry really ended.
 */
const LATE_US = 5000;
const LABEL_BYTES = 16;
const HELPERS_MAX = 255;
/** What the log holds of a helper's name; the kernel's have at most 15. */
const HELPER_NAME_BYTES_MAX = 255;

/**
 * Bits of `seen`: which parts of the tuples a message had. Ports are none of them: whether there are any
 * depends on the kernel.
 */
const SEEN_ORIG_SRC = 1;
const SEEN_ORIG_DST = 2;
const SEEN_REPLY_SRC = 4;
const SEEN_REPLY_DST = 8;
const SEEN_ORIG_PROTO = 16;
const SEEN_REPLY_PROTO = 32;
const SEEN_ANY_ADDRESS = 15;
const SEEN_BOTH_TUPLES = 63;
/** `family` of a row that has no address yet. */
const NO_FAMILY = 0;

// State of the message being decoded: module variables, because an object per event is what this file must
// never make.
let seen = 0;
let partial = false;
let unknown = 0;
let replyProto = 0;
let origIcmp = 0;
let replyIcmp = 0;
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
  if (end - offset < NLMSG_HEADER_BYTES + NFGENMSG_BYTES) {
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
  const at = offset + NLMSG_HEADER_BYTES + NFGENMSG_BYTES;
  partial = partly;
  const shape = readPlainEvent(words, view, at, end, batch, row, times);
  if (shape === undefined) {
    if (!readWalked(bytes, at, end, batch, row, counters)) return;
  } else if (shape.rareCount > 0) readRare(shape, bytes, end - shape.lengthBytes, batch, row);
  batch.count = row + 1;
  if (partial) counters.partial++;
  const eventUs = times[EVENT_US];
  const stopUs = times[STOP_US];
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

/** Any message, attribute after attribute. False when there is no row, because no address could be read. */
function readWalked(
  bytes: Uint8Array,
  at: number,
  end: number,
  batch: EventBatch,
  row: number,
  counters: DecodeCounters,
): boolean {
  seen = 0;
  unknown = 0;
  replyProto = 0;
  origIcmp = 0;
  replyIcmp = 0;
  times[EVENT_US] = 0;
  times[STOP_US] = 0;
  startRow(batch, row);
  walk(bytes, at, end, Context.message, batch, row);
  counters.unknownAttributes += unknown;
  if ((seen & SEEN_ANY_ADDRESS) === 0) {
    batch.count = row + 1;
    batch.discardLast();
    counters.malformed++;
    return false;
  }
  finishTuples(batch, row);
  if (seen !== SEEN_BOTH_TUPLES) partial = true;
  const tuplesBytes = plainTuplesBytes(words, at, end);
  const rest = at + tuplesBytes;
  if (tuplesBytes > 0) learnShape(words, rest >>> 2, end - rest, Context.message, MINIMUM_BYTES);
  return true;
}

/** Values that few messages have. */
function readRare(shape: Shape, bytes: Uint8Array, at: number, batch: EventBatch, row: number): void {
  const { fields, valueAt, valueBytes, valueCount } = shape;
  for (let i = 0; i < valueCount; i++)
    if (isRare(fields[i])) readOptional(bytes, at + valueAt[i], valueBytes[i], fields[i], batch, row);
}

/** The same memory as 32-bit words; kept, because a recording reads from one buffer. */
function viewWords(bytes: Uint8Array, offset: number): void {
  invariant(((bytes.byteOffset | offset) & 3) === 0, 'decode: message not on a word boundary');
  viewedBytes = bytes;
  words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * What a cut message may leave out starts from zero; the optional columns are zero already
 * (EventBatch.clear).
 */
function startRow(batch: EventBatch, row: number): void {
  batch.family[row] = NO_FAMILY;
  batch.origSrc[row] = 0;
  batch.origDst[row] = 0;
  batch.replySrc[row] = 0;
  batch.replyDst[row] = 0;
  batch.origSrcPort[row] = 0;
  batch.origDstPort[row] = 0;
  batch.replySrcPort[row] = 0;
  batch.replyDstPort[row] = 0;
}

function setTime(batch: EventBatch, row: number, timeUs: number, timeSource: number): void {
  batch.timeUs[row] = timeUs;
  batch.timeSource[row] = timeSource;
}

/**
 * ICMP types and codes share the destination port's column; a message whose original tuple is lost still has
 * a protocol.
 */
function finishTuples(batch: EventBatch, row: number): void {
  if ((seen & SEEN_ORIG_PROTO) === 0) batch.proto[row] = replyProto;
  if (portMeaning(batch.proto[row]) === PortMeaning.icmp) {
    batch.origDstPort[row] = origIcmp;
    batch.replyDstPort[row] = replyIcmp;
  }
}

/**
 * The attributes in [at, end). Nested ones are at most three deep: OPERATIONS leads from one context to the
 * next.
 */
function walk(
  bytes: Uint8Array,
  at: number,
  end: number,
  context: number,
  batch: EventBatch,
  row: number,
): void {
  while (end - at >= ATTRIBUTE_HEADER_BYTES) {
    const header = words[at >>> 2];
    const length = header & 0xffff;
    if (length < ATTRIBUTE_HEADER_BYTES) {
      // Nothing says where the next one starts.
      partial = true;
      return;
    }
    const number = (header >>> 16) & NLA_TYPE_MASK;
    const from = at + ATTRIBUTE_HEADER_BYTES;
    const to = at + length;
    const field =
      number < NUMBERS_PER_CONTEXT ? OPERATIONS[context * NUMBERS_PER_CONTEXT + number] : Field.unknown;
    if (to > end) {
      // Cut: what is whole inside it is read, but no value, for half a helper's name would be another name.
      partial = true;
      if (field >= Field.nested) walk(bytes, from, end, field - Field.nested, batch, row);
      return;
    }
    if (field >= Field.nested) walk(bytes, from, to, field - Field.nested, batch, row);
    else if (field === Field.unknown) unknown++;
    else if (field !== Field.skip) read(bytes, from, length - ATTRIBUTE_HEADER_BYTES, field, batch, row);
    at += (length + 3) & ~3;
  }
  // Up to three bytes of padding may be missing at the very end; more is a cut attribute header.
  if (end > at) partial = true;
}

/** One value. Too short a payload is what a cut message ends in. */
function read(
  bytes: Uint8Array,
  from: number,
  length: number,
  field: number,
  batch: EventBatch,
  row: number,
): void {
  if (length < MINIMUM_BYTES[field]) {
    partial = true;
    return;
  }
  switch (field) {
    case Field.origSrc4:
      batch.origSrc[row] = intern4(from, batch, row);
      seen |= SEEN_ORIG_SRC;
      break;
    case Field.origDst4:
      batch.origDst[row] = intern4(from, batch, row);
      seen |= SEEN_ORIG_DST;
      break;
    case Field.replySrc4:
      batch.replySrc[row] = intern4(from, batch, row);
      seen |= SEEN_REPLY_SRC;
      break;
    case Field.replyDst4:
      batch.replyDst[row] = intern4(from, batch, row);
      seen |= SEEN_REPLY_DST;
      break;
    case Field.origSrc6:
      batch.origSrc[row] = intern6(from, batch, row);
      seen |= SEEN_ORIG_SRC;
      break;
    case Field.origDst6:
      batch.origDst[row] = intern6(from, batch, row);
      seen |= SEEN_ORIG_DST;
      break;
    case Field.replySrc6:
      batch.replySrc[row] = intern6(from, batch, row);
      seen |= SEEN_REPLY_SRC;
      break;
    case Field.replyDst6:
      batch.replyDst[row] = intern6(from, batch, row);
      seen |= SEEN_REPLY_DST;
      break;
    case Field.protoOrig:
      batch.proto[row] = bytes[from];
      seen |= SEEN_ORIG_PROTO;
      break;
    case Field.protoReply:
      replyProto = bytes[from];
      seen |= SEEN_REPLY_PROTO;
      break;
    case Field.origSrcPort:
      batch.origSrcPort[row] = be16(bytes, from);
      break;
    case Field.origDstPort:
      batch.origDstPort[row] = be16(bytes, from);
      break;
    case Field.replySrcPort:
      batch.replySrcPort[row] = be16(bytes, from);
      break;
    case Field.replyDstPort:
      batch.replyDstPort[row] = be16(bytes, from);
      break;
    case Field.origIcmpType:
      origIcmp = (bytes[from] << 8) | (origIcmp & 0xff);
      break;
    case Field.origIcmpCode:
      origIcmp = (origIcmp & 0xff00) | bytes[from];
      break;
    case Field.replyIcmpType:
      replyIcmp = (bytes[from] << 8) | (replyIcmp & 0xff);
      break;
    case Field.replyIcmpCode:
      replyIcmp = (replyIcmp & 0xff00) | bytes[from];
      break;
    default:
      readOptional(bytes, from, length, field, batch, row);
  }
}

/** Values that not every message or every file has. */
function readOptional(
  bytes: Uint8Array,
  from: number,
  length: number,
  field: number,
  batch: EventBatch,
  row: number,
): void {
  switch (field) {
    case Field.status:
      batch.status[row] = be32(from);
      batch.present |= Column.status;
      break;
    case Field.mark:
      batch.mark[row] = be32(from);
      batch.present |= Column.mark;
      break;
    case Field.zone:
      setZone(batch, row, be16(bytes, from), ZoneDirection.both);
      break;
    case Field.zoneOrig:
      setZone(batch, row, be16(bytes, from), ZoneDirection.orig);
      break;
    case Field.zoneReply:
      setZone(batch, row, be16(bytes, from), ZoneDirection.reply);
      break;
    case Field.tcpState:
      batch.tcpState[row] = Math.min(bytes[from], TCP_STATE_MAX) + 1;
      batch.present |= Column.tcpState;
      break;
    case Field.id:
      batch.id[row] = be32(from);
      batch.present |= Column.id;
      break;
    case Field.timeoutSeconds:
      batch.timeoutSeconds[row] = be32(from);
      batch.present |= Column.timeoutSeconds;
      break;
    case Field.use:
      batch.use[row] = be32(from);
      batch.present |= Column.use;
      break;
    case Field.origPackets:
    case Field.origBytes:
    case Field.replyPackets:
    case Field.replyBytes: {
      const word = row * 8 + (field - Field.origPackets) * 2;
      batch.counters[word] = be32(from + 4);
      batch.counters[word + 1] = be32(from);
      batch.present |= Column.counters;
      break;
    }
    case Field.timeStart:
      batch.startUs[row] = microseconds(from);
      batch.present |= Column.startUs;
      break;
    case Field.timeStop:
      times[STOP_US] = microseconds(from);
      break;
    case Field.timeEvent:
      times[EVENT_US] = microseconds(from);
      break;
    case Field.labels: {
      const count = Math.min(length, LABEL_BYTES);
      for (let i = 0; i < count; i++) batch.labels[row * LABEL_BYTES + i] = bytes[from + i];
      batch.present |= Column.labels;
      break;
    }
    case Field.helper:
      batch.helper[row] = internHelper(bytes, from, length, batch.helpers);
      batch.present |= Column.helper;
      break;
  }
}

function setZone(batch: EventBatch, row: number, zone: number, direction: number): void {
  batch.zone[row] = zone;
  batch.zoneDirection[row] = direction;
  batch.present |= Column.zone;
}

function be16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function be32(at: number): number {
  return swap32(words[at >>> 2]);
}

/** u64 nanoseconds at `at`; 0 when they are not believed. */
function microseconds(at: number): number {
  const high = be32(at);
  if (high >= UNBELIEVED_TIME_HIGH) partial = true;
  return toMicroseconds(high, be32(at + 4));
}

function intern4(at: number, batch: EventBatch, row: number): number {
  return isOfFamily(AF_INET, batch, row) ? batch.addresses4.intern(be32(at)) : 0;
}

function intern6(at: number, batch: EventBatch, row: number): number {
  if (!isOfFamily(AF_INET6, batch, row)) return 0;
  return batch.addresses6.intern(be32(at), be32(at + 4), be32(at + 8), be32(at + 12));
}

/**
 * The first address decides: a row's indexes must all lead to the same table, also when a message mixes
 * families.
 */
function isOfFamily(family: number, batch: EventBatch, row: number): boolean {
  if (batch.family[row] === family) return true;
  if (batch.family[row] === NO_FAMILY) {
    batch.family[row] = family;
    return true;
  }
  partial = true;
  return false;
}

/**
 * Number of the helper name in [from, from + length), NUL-terminated; compares bytes, and makes a string for
 * a new name only.
 */
function internHelper(bytes: Uint8Array, from: number, length: number, helpers: string[]): number {
  const lengthMax = Math.min(length, HELPER_NAME_BYTES_MAX);
  let nameBytes = 0;
  while (nameBytes < lengthMax && bytes[from + nameBytes] !== 0) nameBytes++;
  for (let index = 0; index < helpers.length; index++)
    if (equals(helpers[index], bytes, from, nameBytes)) return index;
  if (helpers.length > HELPERS_MAX) return 0;
  let name = '';
  for (let i = 0; i < nameBytes; i++) name += String.fromCharCode(bytes[from + i]);
  return helpers.push(name) - 1;
}

function equals(name: string, bytes: Uint8Array, from: number, length: number): boolean {
  if (name.length !== length) return false;
  for (let i = 0; i < length; i++) if (name.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}

/** Shortest payload of each field. */
const MINIMUM_BYTES = new Uint8Array(Field.nested);
for (const field of [Field.origSrc4, Field.origDst4, Field.replySrc4, Field.replyDst4])
  MINIMUM_BYTES[field] = 4;
for (const field of [Field.origSrc6, Field.origDst6, Field.replySrc6, Field.replyDst6])
  MINIMUM_BYTES[field] = 16;
for (const field of [Field.protoOrig, Field.protoReply, Field.tcpState]) MINIMUM_BYTES[field] = 1;
for (const field of [Field.origSrcPort, Field.origDstPort, Field.replySrcPort, Field.replyDstPort])
  MINIMUM_BYTES[field] = 2;
for (const field of [Field.origIcmpType, Field.origIcmpCode, Field.replyIcmpType, Field.replyIcmpCode])
  MINIMUM_BYTES[field] = 1;
// A zone is two bytes, also in an attribute of length 8 (padding counted in).
for (const field of [Field.zone, Field.zoneOrig, Field.zoneReply]) MINIMUM_BYTES[field] = 2;
for (const field of [Field.status, Field.mark, Field.id, Field.timeoutSeconds, Field.use])
  MINIMUM_BYTES[field] = 4;
for (const field of [Field.origPackets, Field.origBytes, Field.replyPackets, Field.replyBytes])
  MINIMUM_BYTES[field] = 8;
for (const field of [Field.timeStart, Field.timeStop, Field.timeEvent]) MINIMUM_BYTES[field] = 8;
