/**
 * Index blocks: for each data block since the last index block its place, its times and a filter of the addresses in it, so that
 * a search reads only what can match. They are written every INDEX_EVERY_BLOCKS blocks and before the end block, which
 * lists them: memory stays bounded however long the file grows.
 *
 * Payload, per entry: offset u64, type u8, codec-independent sizes: storedBytes u32, count u32, minTimeUs u64, maxTimeUs u64,
 * sequence u64, filterBytes u16, filter. Little-endian.
 */
import type { EventBatch } from '../../event/batch.js';

export const INDEX_EVERY_BLOCKS = 256;
const ENTRY_FIXED_BYTES = 8 + 1 + 4 + 4 + 8 + 8 + 8 + 2;

export interface IndexEntry {
  readonly offsetBytes: number;
  readonly type: number;
  readonly storedBytes: number;
  readonly count: number;
  readonly minTimeUs: number;
  readonly maxTimeUs: number;
  readonly sequence: number;
  readonly filter: Uint8Array;
}

export function encodeIndex(entries: readonly IndexEntry[]): Uint8Array {
  let length = 0;
  for (const entry of entries) length += ENTRY_FIXED_BYTES + entry.filter.length;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const entry of entries) {
    view.setBigUint64(at, BigInt(entry.offsetBytes), true);
    view.setUint8(at + 8, entry.type);
    view.setUint32(at + 9, entry.storedBytes, true);
    view.setUint32(at + 13, entry.count, true);
    view.setBigUint64(at + 17, BigInt(entry.minTimeUs), true);
    view.setBigUint64(at + 25, BigInt(entry.maxTimeUs), true);
    view.setBigUint64(at + 33, BigInt(entry.sequence), true);
    view.setUint16(at + 41, entry.filter.length, true);
    bytes.set(entry.filter, at + ENTRY_FIXED_BYTES);
    at += ENTRY_FIXED_BYTES + entry.filter.length;
  }
  return bytes;
}

/** Entries of an index payload, or undefined when it does not parse. */
export function decodeIndex(bytes: Uint8Array): IndexEntry[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: IndexEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + ENTRY_FIXED_BYTES > bytes.length) return undefined;
    const filterBytes = view.getUint16(at + 41, true);
    const end = at + ENTRY_FIXED_BYTES + filterBytes;
    if (end > bytes.length) return undefined;
    entries.push({
      offsetBytes: Number(view.getBigUint64(at, true)),
      type: view.getUint8(at + 8),
      storedBytes: view.getUint32(at + 9, true),
      count: view.getUint32(at + 13, true),
      minTimeUs: Number(view.getBigUint64(at + 17, true)),
      maxTimeUs: Number(view.getBigUint64(at + 25, true)),
      sequence: Number(view.getBigUint64(at + 33, true)),
      filter: bytes.slice(at + ENTRY_FIXED_BYTES, end),
    });
    at = end;
  }
  return entries;
}

/** Filters never grow beyond this; a block with more addresses than it can tell apart matches more often. */
export const FILTER_MAX_BYTES = 8192;
const FILTER_PROBES = 3;

/**
 * Bloom filter over the batch's addresses, one byte per address, a power of two long. Written to `out` at `offset`; answers
 * its length (0 = no address, matches nothing).
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
