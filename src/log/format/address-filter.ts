import type { EventBatch } from '../../event/batch.js';

/** Filters never grow beyond this; a block with more addresses than it can tell apart matches more often. */
export const FILTER_MAX_BYTES = 8192;
const FILTER_PROBES = 3;

/**
 * Bloom filter over the batch's addresses, one byte per address, a power of two long. Written to `out` at
 * `offset`; answers its length (0 = no address, matches nothing).
 */
export function writeAddressFilter(batch: EventBatch, out: Uint8Array, offset: number): number {
  const { addresses4, addresses6 } = batch;
  const distinct = addresses4.count + addresses6.count - 2;
  if (distinct === 0) return 0;
  let length = 8;
  while (length < distinct && length < FILTER_MAX_BYTES) length *= 2;
  out.fill(0, offset, offset + length);
  const mask = length * 8 - 1;
  for (let i = 1; i < addresses4.count; i++) add(out, offset, mask, addressHash4(addresses4.values[i]));
  const { words } = addresses6;
  for (let i = 1; i < addresses6.count; i++) {
    const word = i * 4;
    add(out, offset, mask, addressHash6(words[word], words[word + 1], words[word + 2], words[word + 3]));
  }
  return length;
}

/** False only when no address with this hash is in the block. */
export function filterMayHold(filter: Uint8Array, hash: number): boolean {
  const mask = filter.length * 8 - 1;
  let position = hash;
  for (let probe = 0; probe < FILTER_PROBES; probe++) {
    const bit = position & mask;
    if ((filter[bit >>> 3] & (1 << (bit & 7))) === 0) return false;
    position = Math.imul(position, 0x9e3779b1) ^ (position >>> 15);
  }
  return true;
}

function add(out: Uint8Array, offset: number, mask: number, hash: number): void {
  let position = hash;
  for (let probe = 0; probe < FILTER_PROBES; probe++) {
    const bit = position & mask;
    out[offset + (bit >>> 3)] |= 1 << (bit & 7);
    position = Math.imul(position, 0x9e3779b1) ^ (position >>> 15);
  }
}

/** Hash of an IPv4 address (u32, most significant byte first) for the filter. */
export function addressHash4(address: number): number {
  let hash = Math.imul(address ^ (address >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return hash ^ (hash >>> 16);
}

/** Hash of an IPv6 address (four u32, most significant first) for the filter. */
export function addressHash6(a: number, b: number, c: number, d: number): number {
  return addressHash4(addressHash4(addressHash4(addressHash4(a) ^ b) ^ c) ^ d);
}
