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

/** Bytes of both tuples. */
export const PLAIN_TUPLES_BYTES = 2 * 13 * 4;

/** An attribute header as a little-endian word: length, then type with NLA_F_NESTED. */
export const NESTED = 0x80000000;
const TUPLE_BYTES = 52;
const TUPLE_ORIG = (NESTED | (1 << 16) | TUPLE_BYTES) >>> 0;
const TUPLE_REPLY = (NESTED | (2 << 16) | TUPLE_BYTES) >>> 0;
const TUPLE_IP = (NESTED | (1 << 16) | 20) >>> 0;
const V4_SRC = (1 << 16) | 8;
const V4_DST = (2 << 16) | 8;
export const TUPLE_PROTO = (NESTED | (2 << 16) | 28) >>> 0;
export const PROTO_NUM = (1 << 16) | 5;
export const SRC_PORT = (2 << 16) | 6;
export const DST_PORT = (3 << 16) | 6;

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
