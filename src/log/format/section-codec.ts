/**
 * A block's payload: sections, each with an id and a codec of its own, so that a reader takes what it needs
 * and skips what it does not know. Layout: u8 section count, then per section {id u8, codec u8, raw bytes
 * varint, stored bytes varint}, then the stored bytes of all sections in the same order.
 */
import { brotliCompressSync, brotliDecompressSync, constants, inflateRawSync } from 'node:zlib';
import { MAX_PAYLOAD_BYTES } from './format.js';
import { PACKING_SPARE_BYTES, packHuffman } from './huffman.js';
import { ByteSink, ByteSource, badPayload } from './varint.js';

export const SectionCodec = { stored: 0, brotli: 1, deflate: 2 } as const;

/**
 * "fast" while recording: Huffman codes alone, since the tables have taken out what repeats (7.55 B/event in
 * blocks of 10,000 events; brotli 1 7.79, brotli 5 7.51 at twice the time). "strong" for squeezed files:
 * brotli where it is shorter, and columns in the order in which they are shortest.
 */
export type Effort = 'fast' | 'strong';

/** Sections shorter than this are stored: no codec wins anything on them. */
const COMPRESS_FROM_BYTES = 24;
const DIRECTORY_ENTRY_MAX_BYTES = 12;
/** A block of the recorder's fits. */
const PACKED_BYTES_MIN = 256 * 1024;
/**
 * The output of zlib comes in chunks: with room for all and a little more there is one, and nothing is
 * copied.
 */
const CHUNK_SPARE_BYTES = 64;
/** What a file says of itself is not trusted with more memory than this ahead of its bytes. */
const CHUNK_BYTES_MAX = 512 * 1024;

/** Squeezed files are written once and read often. */
const STRONG_QUALITY = 6;

/**
 * Collects the sections of one block and writes them out. One per thread; nothing is allocated per section
 * but the codec's result.
 */
export class SectionWriter {
  #ids: number[] = [];
  #codecs: number[] = [];
  #rawBytes: number[] = [];
  #stored: Uint8Array[] = [];
  /** Where sections are compressed to; from `#packedBytes` on it is free. */
  #packed = new Uint8Array(PACKED_BYTES_MIN);
  #packedBytes = 0;

  /** Add the bytes [from, to); they are borrowed until `write`. Empty sections are left out. */
  add(id: number, bytes: Uint8Array, from: number, to: number, effort: Effort): void {
    const rawBytes = to - from;
    if (rawBytes === 0) return;
    const raw = bytes.subarray(from, to);
    let codec: number = SectionCodec.stored;
    let stored: Uint8Array = raw;
    if (rawBytes >= COMPRESS_FROM_BYTES) {
      const packedBytes = this.#pack(bytes, from, to);
      if (packedBytes > 0) {
        codec = SectionCodec.deflate;
        stored = this.#packed.subarray(this.#packedBytes, this.#packedBytes + packedBytes);
        this.#packedBytes += packedBytes;
      }
      if (effort === 'strong') {
        const stronger = brotli(raw);
        if (stronger.length < stored.length) {
          codec = SectionCodec.brotli;
          stored = stronger;
        }
      }
    }
    this.#ids.push(id);
    this.#codecs.push(codec);
    this.#rawBytes.push(rawBytes);
    this.#stored.push(stored);
  }

  #pack(bytes: Uint8Array, from: number, to: number): number {
    const room = to - from + PACKING_SPARE_BYTES;
    if (this.#packed.length - this.#packedBytes < room) {
      // What is compressed already stays where it is until it is written.
      this.#packed = new Uint8Array(Math.max(this.#packed.length * 2, room));
      this.#packedBytes = 0;
    }
    return packHuffman(bytes, from, to, this.#packed, this.#packedBytes);
  }

  /**
   * Write everything added since the last call to `out` at `offset`; answers the payload's stored and raw
   * length.
   */
  write(out: Uint8Array, offset: number): { storedBytes: number; rawBytes: number } {
    const sink = new ByteSink(out);
    sink.length = offset;
    sink.u8(this.#ids.length);
    let rawTotal = 1;
    for (let i = 0; i < this.#ids.length; i++) {
      sink.u8(this.#ids[i]);
      sink.u8(this.#codecs[i]);
      sink.varint(this.#rawBytes[i]);
      sink.varint(this.#stored[i].length);
      rawTotal += this.#rawBytes[i] + DIRECTORY_ENTRY_MAX_BYTES;
    }
    let at = sink.length;
    for (const bytes of this.#stored) {
      out.set(bytes, at);
      at += bytes.length;
    }
    this.#ids.length = 0;
    this.#codecs.length = 0;
    this.#rawBytes.length = 0;
    this.#stored.length = 0;
    this.#packedBytes = 0;
    return { storedBytes: at - offset, rawBytes: rawTotal };
  }
}

function brotli(raw: Uint8Array): Uint8Array {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: STRONG_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
  };
  return brotliCompressSync(raw, { params, chunkSize: raw.length + 1024 });
}

/** The sections of one payload, decompressed when asked for. Every failure is a PayloadDamage. */
export class SectionReader {
  readonly #places = new Map<number, { codec: number; rawBytes: number; from: number; to: number }>();

  constructor(readonly payload: Uint8Array) {
    const source = new ByteSource(payload);
    const count = source.u8();
    const entries: { id: number; codec: number; rawBytes: number; storedBytes: number }[] = [];
    for (let i = 0; i < count; i++)
      entries.push({
        id: source.u8(),
        codec: source.u8(),
        rawBytes: source.varint(),
        storedBytes: source.varint(),
      });
    let at = source.at;
    for (const { id, codec, rawBytes, storedBytes } of entries) {
      if (rawBytes > MAX_PAYLOAD_BYTES || storedBytes > payload.length - at)
        throw badPayload('has a section out of bounds');
      if (this.#places.has(id)) throw badPayload('contains a section twice');
      this.#places.set(id, { codec, rawBytes, from: at, to: at + storedBytes });
      at += storedBytes;
    }
    if (at !== payload.length) throw badPayload('is longer than its sections');
  }

  has(id: number): boolean {
    return this.#places.has(id);
  }

  /** The section's bytes, empty when it is absent. */
  bytes(id: number): Uint8Array {
    const place = this.#places.get(id);
    if (place === undefined) return new Uint8Array(0);
    const stored = this.payload.subarray(place.from, place.to);
    const raw = unpack(stored, place.codec, place.rawBytes);
    if (raw.length !== place.rawBytes) throw badPayload('has a section whose length is wrong');
    return raw;
  }

  /** The section as a source of varints. */
  source(id: number): ByteSource {
    return new ByteSource(this.bytes(id));
  }
}

function unpack(stored: Uint8Array, codec: number, rawBytes: number): Uint8Array {
  const chunkSize = Math.min(rawBytes + CHUNK_SPARE_BYTES, CHUNK_BYTES_MAX);
  const limits = { maxOutputLength: Math.max(1, rawBytes), chunkSize };
  try {
    if (codec === SectionCodec.stored) return stored;
    if (codec === SectionCodec.brotli) return brotliDecompressSync(stored, limits);
    if (codec === SectionCodec.deflate) return inflateRawSync(stored, limits);
  } catch {
    throw badPayload('cannot be decompressed');
  }
  throw badPayload(`uses codec ${codec}, which this version does not know`);
}
