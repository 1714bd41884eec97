/** The addresses of a batch as text, formatted once per batch and copied per line. */

import { writeOctet } from '../../base/digits.js';
import type { AddressTable4, AddressTable6 } from '../../event/addresses.js';

/**
 * Longest texts: ` src=255.255.255.255:`, and ` src=[...]:` around eight groups of four with seven colons;
 * whole words.
 */
const SLOT4_BYTES = 24;
const SLOT6_BYTES = 48;
const HEX = [...'0123456789abcdef'].map((digit) => digit.charCodeAt(0));
const LABEL = [...' src='].map((character) => character.charCodeAt(0));
const LABEL_BYTES = LABEL.length;
const POINT = 46;
const COLON = 58;
const BRACKETS = [91, 93] as const;

/**
 * ` src=ADDRESS:` for every address of a table, IPv6 in brackets: index i at `i * slotBytes`, `lengths[i]`
 * bytes.
 */
export abstract class AddressText {
  bytes = new Uint8Array(0);
  view = new DataView(this.bytes.buffer);
  lengths = new Uint8Array(0);

  constructor(
    readonly slotBytes: number,
    readonly bracketBytes: 0 | 1,
  ) {}

  protected reserve(count: number): void {
    if (this.lengths.length >= count) return;
    this.bytes = new Uint8Array(count * 2 * this.slotBytes);
    this.view = new DataView(this.bytes.buffer);
    this.lengths = new Uint8Array(count * 2);
  }

  /** Offset and end of the address alone. */
  start(index: number): number {
    return index * this.slotBytes + LABEL_BYTES + this.bracketBytes;
  }

  end(index: number): number {
    return index * this.slotBytes + this.lengths[index] - 1 - this.bracketBytes;
  }
}

export class AddressText4 extends AddressText {
  constructor() {
    super(SLOT4_BYTES, 0);
  }

  load(table: AddressTable4): void {
    this.reserve(table.count);
    const { bytes, lengths } = this;
    for (let index = 0; index < table.count; index++) {
      const address = table.values[index];
      const start = index * SLOT4_BYTES;
      bytes.set(LABEL, start);
      let at = writeOctet(bytes, start + LABEL_BYTES, address >>> 24);
      for (let shift = 16; shift >= 0; shift -= 8) {
        bytes[at++] = POINT;
        at = writeOctet(bytes, at, (address >>> shift) & 255);
      }
      bytes[at++] = COLON;
      lengths[index] = at - start;
    }
  }
}

export class AddressText6 extends AddressText {
  constructor() {
    super(SLOT6_BYTES, 1);
  }

  load(table: AddressTable6): void {
    this.reserve(table.count);
    for (let index = 0; index < table.count; index++) {
      const start = index * SLOT6_BYTES;
      this.bytes.set(LABEL, start);
      this.bytes[start + LABEL_BYTES] = BRACKETS[0];
      let at = writeAddress6(this.bytes, start + LABEL_BYTES + 1, table.words, index * 4);
      this.bytes[at++] = BRACKETS[1];
      this.bytes[at++] = COLON;
      this.lengths[index] = at - start;
    }
  }
}

/**
 * RFC 5952: lower case, no leading zeros, the first longest run of at least two zero groups as `::`, and
 * ::ffff:a.b.c.d.
 */
function writeAddress6(bytes: Uint8Array, at: number, words: Uint32Array, word: number): number {
  const mapped = words[word] === 0 && words[word + 1] === 0 && words[word + 2] === 0xffff;
  const groups = mapped ? 6 : 8;
  const group = (i: number) => (words[word + (i >> 1)] >>> (i & 1 ? 0 : 16)) & 0xffff;
  let runStart = -1;
  let runLength = 1;
  for (let i = 0; i < groups; i++) {
    let length = 0;
    while (i + length < groups && group(i + length) === 0) length++;
    if (length > runLength) {
      runStart = i;
      runLength = length;
    }
    i += length;
  }
  for (let i = 0; i < groups; i++) {
    if (i === runStart) {
      bytes[at++] = COLON;
      i += runLength - 1;
      if (i === groups - 1) bytes[at++] = COLON;
      continue;
    }
    if (i > 0) bytes[at++] = COLON;
    at = writeHex(bytes, at, group(i));
  }
  if (!mapped) return at;
  const last = words[word + 3];
  for (let shift = 24; shift >= 0; shift -= 8) {
    bytes[at++] = shift === 24 ? COLON : POINT;
    at = writeOctet(bytes, at, (last >>> shift) & 255);
  }
  return at;
}

function writeHex(bytes: Uint8Array, at: number, value: number): number {
  let shift = 12;
  while (shift > 0 && value >>> shift === 0) shift -= 4;
  for (; shift >= 0; shift -= 4) bytes[at++] = HEX[(value >>> shift) & 15];
  return at;
}
