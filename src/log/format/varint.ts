/** Bytes out and in, with varints (LEB128: seven bits a byte, low bits first, the top bit says "more"). */
import { PayloadDamage } from '../../base/errors.js';

const INT32_MAX = 0x7fffffff;

/** Whole numbers of either sign as numbers from 0 on: 0, -1, 1, -2, ... */
export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

export function unzigzag(code: number): number {
  return code % 2 === 0 ? code / 2 : -(code + 1) / 2;
}

/** Appends to a buffer of fixed size that its owner reuses block after block. The owner guarantees room. */
export class ByteSink {
  length = 0;
  constructor(readonly bytes: Uint8Array) {}

  u8(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** Whole numbers from 0 to 2^53 - 1. */
  varint(value: number): void {
    const { bytes } = this;
    let at = this.length;
    while (value >= 0x80) {
      bytes[at++] = (value & 0x7f) | 0x80;
      value = value < 0x80000000 ? value >>> 7 : Math.floor(value / 128);
    }
    bytes[at++] = value;
    this.length = at;
  }

  /** Whole numbers from -2^52 to 2^52 - 1, small magnitudes short. */
  zigzag(value: number): void {
    this.varint(zigzag(value));
  }

  /** A 64-bit number given as two u32. */
  varint64(low: number, high: number): void {
    while (high !== 0) {
      this.bytes[this.length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.varint(low);
  }
}

/**
 * Reads bytes that nobody vouches for: running past the end is a PayloadDamage, never a RangeError or a read
 * outside.
 */
export class ByteSource {
  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  u8(): number {
    if (this.at >= this.end) throw badPayload('ends too early');
    return this.bytes[this.at++];
  }

  varint(): number {
    const { at, bytes } = this;
    if (at + 2 >= this.end) return this.#varint();
    // Nearly all are short, and then these are whole numbers of 32 bits, not doubles.
    const first = bytes[at];
    if (first < 0x80) {
      this.at = at + 1;
      return first;
    }
    const second = bytes[at + 1];
    if (second < 0x80) {
      this.at = at + 2;
      return (first & 0x7f) | (second << 7);
    }
    const third = bytes[at + 2];
    if (third >= 0x80) return this.#varint();
    this.at = at + 3;
    return (first & 0x7f) | ((second & 0x7f) << 7) | (third << 14);
  }

  zigzag(): number {
    const value = this.varint();
    if (value <= INT32_MAX) return (value >>> 1) ^ -(value & 1);
    return unzigzag(value);
  }

  /** Of any length. */
  #varint(): number {
    const { bytes, end } = this;
    let at = this.at;
    let value = 0;
    let scale = 1;
    for (;;) {
      if (at >= end) throw badPayload('ends too early');
      const byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
      if (scale > 2 ** 49) throw badPayload('contains a number that is too large');
    }
    this.at = at;
    return value;
  }

  /** A 64-bit number into two u32 (low, high) at `index` of `out`. */
  varint64(out: Uint32Array, index: number): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else if (shift < 64) high |= bits << (shift - 32);
      else throw badPayload('contains a number that is too large');
      if (byte < 0x80) break;
    }
    out[index] = low;
    out[index + 1] = high;
  }
}

export function badPayload(what: string): PayloadDamage {
  return new PayloadDamage(`block payload ${what}`);
}
