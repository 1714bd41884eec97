/**
 * The general way to read a message, attribute after attribute: for one without the plain shape
 * (plain-event.ts), or whose shape is not learned yet. Parser thread, per message; a flood of ICMP comes here
 * whole, so no object and no closure here either. Lengths are checked against what was received and against
 * what a value takes.
 */
import {
  AF_INET,
  AF_INET6,
  Column,
  type EventBatch,
  TCP_STATE_MAX,
  ZoneDirection,
} from '../../event/batch.js';
import { PortMeaning, portMeaning } from '../../event/protocols.js';
import { ATTRIBUTE_HEADER_BYTES, aligned, NLA_TYPE_MASK } from '../netlink/message.js';
import { Context, Field, MINIMUM_BYTES, NUMBERS_PER_CONTEXT, OPERATIONS } from './attributes.js';
import { EVENT_TIME, STOP_TIME, toMicroseconds, UNBELIEVED_TIME_HIGH } from './event-time.js';
import { internHelper } from './helper-name.js';
import { plainTuplesBytes } from './plain-event.js';
import { swap32 } from './plain-tuples.js';
import { isRare, learnShape, type Shape } from './shapes.js';

const LABEL_BYTES = 16;

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

/** What came of a message. */
export const Walked = {
  /** There is no row: no address could be read. */
  nothing: 0,
  /** The row has everything. */
  whole: 1,
  /** The row lacks something that could not be read. */
  partly: 2,
} as const;
export type Walked = (typeof Walked)[keyof typeof Walked];

// State of the message at hand: module variables, because an object per event is what this file must never
// make.
let seen = 0;
let partial = false;
let unknown = 0;
let replyProto = 0;
let origIcmp = 0;
let replyIcmp = 0;
let words: Uint32Array = new Uint32Array(0);
let times: Float64Array = new Float64Array(0);

/**
 * Read the attributes in [at, end) of `bytes`, which `messageWords` are the words of, into `row`; event and
 * stop time into `messageTimes`. Without any address nothing is left in the batch. Learns the shape.
 */
export function readWalked(
  bytes: Uint8Array,
  messageWords: Uint32Array,
  at: number,
  end: number,
  batch: EventBatch,
  row: number,
  messageTimes: Float64Array,
  counters: { unknownAttributes: number },
): Walked {
  words = messageWords;
  times = messageTimes;
  seen = 0;
  partial = false;
  unknown = 0;
  replyProto = 0;
  origIcmp = 0;
  replyIcmp = 0;
  times[EVENT_TIME] = 0;
  times[STOP_TIME] = 0;
  startRow(batch, row);
  walk(bytes, at, end, Context.message, batch, row);
  counters.unknownAttributes += unknown;
  if ((seen & SEEN_ANY_ADDRESS) === 0) {
    batch.count = row + 1;
    batch.discardLast();
    return Walked.nothing;
  }
  finishTuples(batch, row);
  if (seen !== SEEN_BOTH_TUPLES) partial = true;
  const tuplesBytes = plainTuplesBytes(words, at, end);
  const rest = at + tuplesBytes;
  if (tuplesBytes > 0) learnShape(words, rest >>> 2, end - rest, Context.message);
  return partial ? Walked.partly : Walked.whole;
}

/** Of a message that has this shape, from byte `at` on, the values that few messages have. */
export function readRare(shape: Shape, bytes: Uint8Array, at: number, batch: EventBatch, row: number): void {
  const { fields, valueAt, valueBytes, valueCount } = shape;
  for (let i = 0; i < valueCount; i++)
    if (isRare(fields[i])) readOptional(bytes, at + valueAt[i], valueBytes[i], fields[i], batch, row);
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
    at += aligned(length);
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
      times[STOP_TIME] = microseconds(from);
      break;
    case Field.timeEvent:
      times[EVENT_TIME] = microseconds(from);
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
