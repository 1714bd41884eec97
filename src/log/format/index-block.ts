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
