/**
 * What tells one connection from another among those that live at the same time: zone, protocol and all four
 * endpoints.
 */
import { randomBytes } from 'node:crypto';
import { AF_INET, type EventBatch } from './batch.js';

/**
 * Key words: the addresses (one word each for IPv4, four for IPv6), two words of ports, and the last one:
 * zone and protocol.
 */
export const KEY4_WORDS = 7;
export const KEY6_WORDS = 19;
/** In the last word; the zone is below. */
export const DIRECTION_SHIFT = 16;
export const PROTO_SHIFT = 18;

/** Clients choose their tuples: whoever makes connections must not know which of them collide. */
const INNER_SEED = randomBytes(4).readInt32LE();
const OUTER_SEED = randomBytes(4).readInt32LE();
const INNER_PRIME = 0x9e3779b1;
const OUTER_PRIME = 0x85ebca6b;

/** Put the key of a row into `key`; answers its words. */
export function loadKey(key: Uint32Array | Int32Array, batch: EventBatch, row: number): number {
  let at: number;
  if (batch.family[row] === AF_INET) {
    const { values } = batch.addresses4;
    key[0] = values[batch.origSrc[row]];
    key[1] = values[batch.origDst[row]];
    key[2] = values[batch.replySrc[row]];
    key[3] = values[batch.replyDst[row]];
    at = 4;
  } else {
    const { words } = batch.addresses6;
    for (let i = 0; i < 4; i++) {
      key[i] = words[batch.origSrc[row] * 4 + i];
      key[4 + i] = words[batch.origDst[row] * 4 + i];
      key[8 + i] = words[batch.replySrc[row] * 4 + i];
      key[12 + i] = words[batch.replyDst[row] * 4 + i];
    }
    at = 16;
  }
  key[at] = (batch.origSrcPort[row] << 16) | batch.origDstPort[row];
  key[at + 1] = (batch.replySrcPort[row] << 16) | batch.replyDstPort[row];
  key[at + 2] =
    batch.zone[row] | (batch.zoneDirection[row] << DIRECTION_SHIFT) | (batch.proto[row] << PROTO_SHIFT);
  return at + 3;
}

/**
 * The 64 bits of the hash of the key of so many words at `from`, as two words at `at` of `hashes`: the first
 * says where in a hash table the key belongs.
 *
 * A secret seed alone is not enough. Differences in the highest bits of a word pass a multiplication whatever
 * the seed is, and the next word can undo them, so some keys meet in `inner` under every seed. Therefore
 * `outer` takes in every state that `inner` was in on the way, and no two such keys meet there.
 */
export function hashKey(
  keys: Uint32Array | Int32Array,
  from: number,
  keyWords: number,
  hashes: Int32Array,
  at: number,
): void {
  let inner = INNER_SEED;
  let outer = OUTER_SEED;
  for (let i = from; i < from + keyWords; i++) {
    inner = Math.imul(inner ^ keys[i], INNER_PRIME);
    inner ^= inner >>> 15;
    outer = Math.imul((outer << 13) ^ (outer >>> 19) ^ inner, OUTER_PRIME);
    outer ^= outer >>> 16;
  }
  hashes[at] = outer;
  hashes[at + 1] = inner;
}

/**
 * The original tuple of an entry. Addresses are u32 words, most significant byte first: one for IPv4, four
 * for IPv6.
 */
export interface OrigTuple {
  readonly proto: number;
  readonly src: Uint32Array;
  readonly dst: Uint32Array;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly zone: number;
  readonly zoneDirection: number;
}
