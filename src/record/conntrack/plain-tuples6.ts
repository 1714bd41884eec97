/**
 * The same as plain-tuples.ts for IPv6: both tuples of every TCP and UDP event, 16 of the 38 words headers.
 * Parser thread, per message.
 *
 *   word  0 CTA_TUPLE_ORIG     1 CTA_TUPLE_IP
 *         2 V6_SRC header      3 address (4 words)   7 V6_DST header   8 address (4 words)
 *        12 CTA_TUPLE_PROTO   13 PROTO_NUM header   14 number
 *        15 SRC_PORT          16 port               17 DST_PORT       18 port
 *        19 CTA_TUPLE_REPLY ... the same again
 */
import { AF_INET6, type EventBatch } from '../../event/batch.js';
import { Context, headerWord } from './attributes.js';
import { DST_PORT, PROTO_NUM, SRC_PORT, TUPLE_PROTO } from './plain-tuples.js';

/** Bytes of both tuples. */
export const PLAIN_TUPLES6_BYTES = 2 * 19 * 4;

const TUPLE_ORIG = headerWord(Context.message, 'CTA_TUPLE_ORIG', 18 * 4);
const TUPLE_REPLY = headerWord(Context.message, 'CTA_TUPLE_REPLY', 18 * 4);
const TUPLE_IP = headerWord(Context.tupleOrig, 'CTA_TUPLE_IP', 10 * 4);
const V6_SRC = headerWord(Context.ipOrig, 'CTA_IP_V6_SRC');
const V6_DST = headerWord(Context.ipOrig, 'CTA_IP_V6_DST');

/** As `arePlainTuples`. */
export function arePlainTuples6(words: Uint32Array, at: number): boolean {
  return (
    words[at] === TUPLE_ORIG &&
    words[at + 1] === TUPLE_IP &&
    words[at + 2] === V6_SRC &&
    words[at + 7] === V6_DST &&
    words[at + 12] === TUPLE_PROTO &&
    words[at + 13] === PROTO_NUM &&
    words[at + 15] === SRC_PORT &&
    words[at + 17] === DST_PORT &&
    words[at + 19] === TUPLE_REPLY &&
    words[at + 20] === TUPLE_IP &&
    words[at + 21] === V6_SRC &&
    words[at + 26] === V6_DST &&
    words[at + 31] === TUPLE_PROTO &&
    words[at + 32] === PROTO_NUM &&
    ((words[at + 33] ^ words[at + 14]) & 0xff) === 0 &&
    words[at + 34] === SRC_PORT &&
    words[at + 36] === DST_PORT
  );
}

/** The protocol number of tuples at word `at`. */
export function protoOf6(words: Uint32Array, at: number): number {
  return words[at + 14] & 0xff;
}

/** Addresses and ports of both tuples, which stand at byte `at`, to `row`. */
export function readTuples6(view: DataView, at: number, batch: EventBatch, row: number): void {
  const origSrc = internAt(view, at + 12, batch);
  const origDst = internAt(view, at + 32, batch);
  batch.family[row] = AF_INET6;
  batch.origSrc[row] = origSrc;
  batch.origDst[row] = origDst;
  // Hardly any IPv6 is translated: the reply mirrors the original.
  batch.replySrc[row] = areSame(view, at + 88, at + 32) ? origDst : internAt(view, at + 88, batch);
  batch.replyDst[row] = areSame(view, at + 108, at + 12) ? origSrc : internAt(view, at + 108, batch);
  batch.origSrcPort[row] = view.getUint16(at + 64);
  batch.origDstPort[row] = view.getUint16(at + 72);
  batch.replySrcPort[row] = view.getUint16(at + 140);
  batch.replyDstPort[row] = view.getUint16(at + 148);
}

function internAt(view: DataView, at: number, { addresses6 }: EventBatch): number {
  return addresses6.intern(
    view.getInt32(at),
    view.getInt32(at + 4),
    view.getInt32(at + 8),
    view.getInt32(at + 12),
  );
}

function areSame(view: DataView, a: number, b: number): boolean {
  return (
    view.getInt32(a + 12) === view.getInt32(b + 12) &&
    view.getInt32(a + 8) === view.getInt32(b + 8) &&
    view.getInt32(a + 4) === view.getInt32(b + 4) &&
    view.getInt32(a) === view.getInt32(b)
  );
}
