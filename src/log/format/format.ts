/**
 * Constants of file format 3. FORMAT.md beside this file describes them byte by byte;
 * test/log/format/format.test.ts holds the two together.
 */

export const FORMAT_MAJOR = 3;
export const FORMAT_MINOR = 0;

/**
 * First 8 bytes of a file: a byte above 127, the name, CR LF and ^Z, so that a transfer in text mode is
 * noticed at once.
 */
export const FILE_MAGIC = Uint8Array.of(0x89, 0x43, 0x54, 0x52, 0x33, 0x0d, 0x0a, 0x1a);
/** Magic, major u16, minor u16, 4 reserved bytes (zero). */
export const FILE_PREAMBLE_BYTES = 16;

/** First 8 bytes of every block, to resynchronise on. */
export const BLOCK_MARKER = Uint8Array.of(0x89, 0x43, 0x54, 0x62, 0x6c, 0x6b, 0xb3, 0x0a);
export const BLOCK_HEADER_BYTES = 96;

/** Offsets in a block header. All integers are little-endian. */
export const BlockField = {
  marker: 0,
  /** u16: length of this header; a reader of a later minor version may find more. */
  headerBytes: 8,
  /** u8 */
  type: 10,
  /** u8 */
  codec: 11,
  /** u32: payload bytes in the file */
  storedBytes: 12,
  /** u32: payload bytes after the codec */
  rawBytes: 16,
  /** u32: records in the block */
  count: 20,
  /** u64: names the run of the recorder */
  runId: 24,
  /** u64: data blocks of the run, from 1; header, index and end blocks repeat the last one */
  sequence: 32,
  /** u64: smallest and largest time in the block, microseconds since the epoch */
  minTimeUs: 40,
  maxTimeUs: 48,
  /** u32: CRC-32 of the stored payload */
  payloadCrc: 56,
  /** 32 bytes: SHA-256(previous chain, header bytes 0 to 59, stored payload) */
  chain: 60,
  /** u32: CRC-32 of header bytes 0 to 91 */
  headerCrc: 92,
} as const;

export const CHAIN_BYTES = 32;

export const BlockType = {
  /** JSON: who recorded what, where, when; the first block of every file */
  header: 1,
  /** Columns of starts and ends */
  events: 2,
  /** Columns of entries that were already open */
  snapshot: 3,
  /** JSON: events the recorder could not see */
  gap: 4,
  /** JSON: a step of the wall clock */
  clockStep: 5,
  /** JSON: what the recorder did that is not an event, such as files that retention removed */
  checkpoint: 6,
  /** Binary: where the blocks since the last index are, and which addresses they hold */
  index: 7,
  /** JSON: the file was closed properly; where its index blocks are */
  end: 8,
  /** Columns of connections (a squeezed file) */
  connections: 9,
} as const;
export type BlockType = (typeof BlockType)[keyof typeof BlockType];

/** Block types that carry a sequence number of their own and count as data. */
export function isDataBlock(type: number): boolean {
  return (
    type === BlockType.events ||
    type === BlockType.snapshot ||
    type === BlockType.gap ||
    type === BlockType.clockStep ||
    type === BlockType.checkpoint ||
    type === BlockType.connections
  );
}

export function isRecordBlock(type: number): boolean {
  return type === BlockType.events || type === BlockType.snapshot || type === BlockType.connections;
}

/** Codec of a block's payload. */
export const BlockCodec = {
  stored: 0,
  /** Sections, each with a codec of its own (section-ids.ts) */
  sections: 1,
} as const;

/** Largest payload a reader accepts, stored or raw: sizes in a file are never trusted for an allocation. */
export const MAX_PAYLOAD_BYTES = 32 * 1024 * 1024;
/** Largest JSON payload (header, gap, end, ...). */
export const MAX_JSON_BYTES = 1024 * 1024;

/** A live file's name ends in this until it is closed. */
export const LIVE_SUFFIX = '.part';
