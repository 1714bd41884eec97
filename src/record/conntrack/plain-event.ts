/**
 * The common event in one go: both tuples in the plain shape (plain-tuples.ts, plain-tuples6.ts), and behind
 * them what the decoder has learned to be there (shapes.ts). Parser thread, per message: no allocation. It is
 * one long function, because V8 compiles it whole: what it inlines into a function is limited, a call that is
 * left costs 2 to 3 ns, and two halves took 8 ns longer. Values are read through a DataView, whose big-endian
 * reads are one instruction.
 */

import { AF_INET, Column, type EventBatch, TCP_STATE_MAX } from '../../event/batch.js';
import { PortMeaning, portMeaning } from '../../event/protocols.js';
import { Field } from './attributes.js';
import { EVENT_TIME, STOP_TIME, toMicroseconds, UNBELIEVED_TIME_HIGH } from './event-time.js';
import { arePlainTuples, PLAIN_TUPLES_BYTES } from './plain-tuples.js';
import { arePlainTuples6, PLAIN_TUPLES6_BYTES, protoOf6, readTuples6 } from './plain-tuples6.js';
import { findShape, type Shape } from './shapes.js';

/** Packets and bytes, of the original and of the reply direction. */
const COUNTERS = 4;

/**
 * Read the attributes in [at, end), bytes on a word boundary, into `row`, but for those that few messages
 * have (Shape.rareCount); event and stop time into `times`. Answers their shape, or undefined, and nothing is
 * touched, when they are not what nearly all events have.
 */
export function readPlainEvent(
  words: Uint32Array,
  view: DataView,
  at: number,
  end: number,
  batch: EventBatch,
  row: number,
  times: Float64Array,
): Shape | undefined {
  const word = at >>> 2;
  let rest = at + PLAIN_TUPLES_BYTES;
  let proto: number;
  if (rest <= end && arePlainTuples(words, word)) proto = words[word + 8] & 0xff;
  else {
    rest = at + PLAIN_TUPLES6_BYTES;
    if (rest > end || !arePlainTuples6(words, word)) return undefined;
    proto = protoOf6(words, word);
  }
  if (portMeaning(proto) === PortMeaning.icmp) return undefined;
  const shape = findShape(words, rest >>> 2, end - rest);
  if (shape === undefined) return undefined;
  const { byteOf } = shape;
  const eventAt = byteOf[Field.timeEvent];
  const startAt = byteOf[Field.timeStart];
  const stopAt = byteOf[Field.timeStop];
  const eventHigh = eventAt === 0 ? 0 : view.getUint32(rest + eventAt);
  const startHigh = startAt === 0 ? 0 : view.getUint32(rest + startAt);
  const stopHigh = stopAt === 0 ? 0 : view.getUint32(rest + stopAt);
  if (
    eventHigh >= UNBELIEVED_TIME_HIGH ||
    startHigh >= UNBELIEVED_TIME_HIGH ||
    stopHigh >= UNBELIEVED_TIME_HIGH
  )
    return undefined;

  batch.proto[row] = proto;
  if (rest === at + PLAIN_TUPLES_BYTES) {
    const { addresses4 } = batch;
    const origSrc = addresses4.intern(view.getInt32(at + 12));
    const origDst = addresses4.intern(view.getInt32(at + 20));
    batch.family[row] = AF_INET;
    batch.origSrc[row] = origSrc;
    batch.origDst[row] = origDst;
    // Without NAT the reply mirrors the original; with SNAT, as on a gateway, half of it does.
    batch.replySrc[row] =
      words[word + 16] === words[word + 5] ? origDst : addresses4.intern(view.getInt32(at + 64));
    batch.replyDst[row] =
      words[word + 18] === words[word + 3] ? origSrc : addresses4.intern(view.getInt32(at + 72));
    batch.origSrcPort[row] = view.getUint16(at + 40);
    batch.origDstPort[row] = view.getUint16(at + 48);
    batch.replySrcPort[row] = view.getUint16(at + 92);
    batch.replyDstPort[row] = view.getUint16(at + 100);
  } else readTuples6(view, at, batch, row);

  let { present } = batch;
  const statusAt = byteOf[Field.status];
  if (statusAt !== 0) {
    batch.status[row] = view.getUint32(rest + statusAt);
    present |= Column.status;
  }
  const markAt = byteOf[Field.mark];
  if (markAt !== 0) {
    batch.mark[row] = view.getUint32(rest + markAt);
    present |= Column.mark;
  }
  const stateAt = byteOf[Field.tcpState];
  if (stateAt !== 0) {
    batch.tcpState[row] = Math.min(view.getUint8(rest + stateAt), TCP_STATE_MAX) + 1;
    present |= Column.tcpState;
  }
  const idAt = byteOf[Field.id];
  if (idAt !== 0) {
    batch.id[row] = view.getUint32(rest + idAt);
    present |= Column.id;
  }
  const timeoutAt = byteOf[Field.timeoutSeconds];
  if (timeoutAt !== 0) {
    batch.timeoutSeconds[row] = view.getUint32(rest + timeoutAt);
    present |= Column.timeoutSeconds;
  }
  const useAt = byteOf[Field.use];
  if (useAt !== 0) {
    batch.use[row] = view.getUint32(rest + useAt);
    present |= Column.use;
  }
  if (startAt !== 0) {
    batch.startUs[row] = toMicroseconds(startHigh, view.getUint32(rest + startAt + 4));
    present |= Column.startUs;
  }
  if (shape.withCounters)
    for (let counter = 0; counter < COUNTERS; counter++) {
      const counterAt = byteOf[Field.origPackets + counter];
      if (counterAt === 0) continue;
      const high = view.getUint32(rest + counterAt);
      const low = view.getUint32(rest + counterAt + 4);
      if ((low | high) === 0) continue;
      batch.counters[row * 8 + counter * 2] = low;
      batch.counters[row * 8 + counter * 2 + 1] = high;
      present |= Column.counters;
    }
  batch.present = present;
  times[EVENT_TIME] = eventAt === 0 ? 0 : toMicroseconds(eventHigh, view.getUint32(rest + eventAt + 4));
  times[STOP_TIME] = stopAt === 0 ? 0 : toMicroseconds(stopHigh, view.getUint32(rest + stopAt + 4));
  return shape;
}

/** Bytes of both tuples at `at` when they have the plain shape, else 0. */
export function plainTuplesBytes(words: Uint32Array, at: number, end: number): number {
  if (at + PLAIN_TUPLES_BYTES <= end && arePlainTuples(words, at >>> 2)) return PLAIN_TUPLES_BYTES;
  if (at + PLAIN_TUPLES6_BYTES <= end && arePlainTuples6(words, at >>> 2)) return PLAIN_TUPLES6_BYTES;
  return 0;
}
