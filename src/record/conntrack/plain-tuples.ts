/**
 * The common case, verified in one go instead of walked: a message that begins with both IPv4 tuples, each
 * with a protocol and two ports, as the kernel lays out every TCP and UDP event. 16 of the 26 words are
 * attribute headers and are compared whole; when one differs the general walk reads the message. Parser
 * thread, per message.
 *
 *   word  0 CTA_TUPLE_ORIG     1 CTA_TUPLE_IP     2 V4_SRC header   3 address   4 V4_DST header   5 address
 *         6 CTA_TUPLE_PROTO    7 PROTO_NUM header 8 number          9 SRC_PORT 10 port  11 DST_PORT  12 port
 *        13 CTA_TUPLE_REPLY ... the same again
 */
import { Context, headerWord } from './attributes.js';

/** Bytes of both tuples. */
export const PLAIN_TUPLES_BYTES = 2 * 13 * 4;

// Header words. Both tuples have the same inside; the length of a nested attribute counts what it holds.
const TUPLE_ORIG = headerWord(Context.message, 'CTA_TUPLE_ORIG', 12 * 4);
const TUPLE_REPLY = headerWord(Context.message, 'CTA_TUPLE_REPLY', 12 * 4);
const TUPLE_IP = headerWord(Context.tupleOrig, 'CTA_TUPLE_IP', 4 * 4);
const V4_SRC = headerWord(Context.ipOrig, 'CTA_IP_V4_SRC');
const V4_DST = headerWord(Context.ipOrig, 'CTA_IP_V4_DST');
export const TUPLE_PROTO = headerWord(Context.tupleOrig, 'CTA_TUPLE_PROTO', 6 * 4);
export const PROTO_NUM = headerWord(Context.protoOrig, 'CTA_PROTO_NUM');
export const SRC_PORT = headerWord(Context.protoOrig, 'CTA_PROTO_SRC_PORT');
export const DST_PORT = headerWord(Context.protoOrig, 'CTA_PROTO_DST_PORT');

/**
 * Whether both tuples stand at word `at` in the plain shape. The caller has made sure that the words are
 * inside the message, and that this CPU is little-endian. Protocol numbers of both must agree.
 */
export function arePlainTuples(words: Uint32Array, at: number): boolean {
  return (
    words[at] === TUPLE_ORIG &&
    words[at + 1] === TUPLE_IP &&
    words[at + 2] === V4_SRC &&
    words[at + 4] === V4_DST &&
    words[at + 6] === TUPLE_PROTO &&
    words[at + 7] === PROTO_NUM &&
    words[at + 9] === SRC_PORT &&
    words[at + 11] === DST_PORT &&
    words[at + 13] === TUPLE_REPLY &&
    words[at + 14] === TUPLE_IP &&
    words[at + 15] === V4_SRC &&
    words[at + 17] === V4_DST &&
    words[at + 19] === TUPLE_PROTO &&
    words[at + 20] === PROTO_NUM &&
    ((words[at + 21] ^ words[at + 8]) & 0xff) === 0 &&
    words[at + 22] === SRC_PORT &&
    words[at + 24] === DST_PORT
  );
}

/** A big-endian value that was read as a little-endian word. */
export function swap32(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** A big-endian port in a little-endian word. */
export function swap16(word: number): number {
  return ((word & 0xff) << 8) | ((word >>> 8) & 0xff);
}
