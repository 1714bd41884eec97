/**
 * Bytes to a raw deflate stream of Huffman codes alone (RFC 1951, dynamic blocks of literals), which every
 * inflate reads. Parser thread, a dozen sections per block of events: zlib's own Huffman-only mode makes the
 * same codes, but a handle with 256 KiB of state, a stream object and garbage for each call, and searches the
 * hash chains that it then ignores. Nothing is allocated here.
 */

/** As in encode-loops.ts: long loops cost compiled code. An even number. */
const PORTION_BYTES = 1024;
/** As many symbols as zlib gives a block, so that codes adapt as often. */
const BLOCK_BYTES = 16384;
const END_OF_BLOCK = 256;
const SYMBOLS = 257;
/**
 * Deflate allows 15. With 12 two codes fit behind seven bits into one word, and blocks of this length lose
 * nothing.
 */
const CODE_BITS_MAX = 12;
const LENGTH_SYMBOLS = 19;
const LENGTH_BITS_MAX = 7;
const DYNAMIC_BLOCK = 2;
/** In the code-length alphabet: the last length 3 to 6 times, zero 3 to 10 times, zero 11 to 138 times. */
const REPEAT_LAST = 16;
const REPEAT_ZERO = 17;
const REPEAT_ZERO_LONG = 18;
/** The order in which a block lists the lengths of the code-length alphabet. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/** A literal code is all there is to a block: one distance code of no bits. */
const LENGTHS_LISTED = SYMBOLS + 1;
/** Block bits, three counts and the lengths of the code-length alphabet are less than this. */
const HEADER_BITS = 3 + 5 + 5 + 4;

/** Even and odd bytes are counted apart: a count waits for the store before it when bytes repeat. */
const oddCounts = new Uint32Array(256);
const counts = new Uint32Array(SYMBOLS);
const lengths = new Uint8Array(LENGTHS_LISTED);
/** Code, its first bit lowest, and above CODE_SHIFT its length. */
const codes = new Uint32Array(SYMBOLS);
const CODE_SHIFT = 16;
const CODE_MASK = (1 << CODE_SHIFT) - 1;

const lengthCounts = new Uint32Array(LENGTH_SYMBOLS);
const lengthLengths = new Uint8Array(LENGTH_SYMBOLS);
const lengthCodes = new Uint32Array(LENGTH_SYMBOLS);
/**
 * The lengths as symbols of the code-length alphabet, and above RUN_SHIFT what a repeat says in its extra
 * bits.
 */
const runs = new Uint16Array(LENGTHS_LISTED);
const RUN_SHIFT = 8;
let runCount = 0;

// Scratch of assignLengths.
const sorted = new Uint32Array(SYMBOLS);
const nodes = new Uint32Array(SYMBOLS);
const SYMBOL_BITS = 9;
const ofLength = new Uint32Array(64);
const nextCode = new Uint32Array(CODE_BITS_MAX + 1);

// The bits not yet written: module variables, for the codes of a header are few.
let held = 0;
let heldBits = 0;
let viewedOut: Uint8Array = new Uint8Array(0);
let view: DataView = new DataView(viewedOut.buffer);

/** What `packHuffman` may write behind what it answers. */
export const PACKING_SPARE_BYTES = 3;

/**
 * Write the bytes [from, to) of `raw` to `out` at `at`. Answers the bytes written, or 0, and what stands
 * there is void, when they would be no fewer than the raw ones; there must be room for those and
 * PACKING_SPARE_BYTES.
 */
export function packHuffman(raw: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  const end = at + to - from;
  let position = at;
  held = 0;
  heldBits = 0;
  for (let block = from; block < to; block += BLOCK_BYTES) {
    const blockEnd = Math.min(to, block + BLOCK_BYTES);
    count(raw, block, blockEnd);
    assignLengths(counts, SYMBOLS, CODE_BITS_MAX, lengths);
    listRuns();
    assignLengths(lengthCounts, LENGTH_SYMBOLS, LENGTH_BITS_MAX, lengthLengths);
    if (position + ((blockBits() + heldBits + 7) >>> 3) >= end) return 0;
    assignCodes(lengthLengths, LENGTH_SYMBOLS, lengthCodes);
    assignCodes(lengths, SYMBOLS, codes);
    position = writeHeader(blockEnd === to, out, position);
    for (let i = block; i < blockEnd; i += PORTION_BYTES)
      position = writeBytes(raw, i, Math.min(blockEnd, i + PORTION_BYTES), out, position);
    position = writeCode(codes[END_OF_BLOCK], out, position);
  }
  for (; heldBits > 0; heldBits -= 8) {
    out[position++] = held;
    held >>>= 8;
  }
  return position - at;
}

function count(raw: Uint8Array, from: number, to: number): void {
  counts.fill(0);
  oddCounts.fill(0);
  let i = from;
  for (; i + 1 < to; i += 2) {
    counts[raw[i]]++;
    oddCounts[raw[i + 1]]++;
  }
  if (i < to) counts[raw[i]]++;
  for (let symbol = 0; symbol < 256; symbol++) counts[symbol] += oddCounts[symbol];
  counts[END_OF_BLOCK] = 1;
}

/**
 * The code length of each of the `symbols` symbols that are used; at least two must be. Moffat and
 * Katajainen, "In-place calculation of minimum-redundancy codes" (1995), on the sorted counts; what is longer
 * than `bitsMax` is shortened as long as it takes.
 */
function assignLengths(uses: Uint32Array, symbols: number, bitsMax: number, result: Uint8Array): void {
  let used = 0;
  for (let symbol = 0; symbol < symbols; symbol++) {
    result[symbol] = 0;
    if (uses[symbol] !== 0) sorted[used++] = (uses[symbol] << SYMBOL_BITS) | symbol;
  }
  sorted.subarray(0, used).sort();
  for (let i = 0; i < used; i++) nodes[i] = sorted[i] >>> SYMBOL_BITS;
  nodesToDepths(used);
  ofLength.fill(0);
  for (let i = 0; i < used; i++) ofLength[Math.min(nodes[i], bitsMax)]++;
  limitLengths(bitsMax);
  let next = used - 1;
  for (let bits = 1; bits <= bitsMax; bits++)
    for (let i = ofLength[bits]; i > 0; i--) result[sorted[next--] & ((1 << SYMBOL_BITS) - 1)] = bits;
}

/** Sorted weights in `nodes` become the depths of their leaves in the tree, the deepest first. */
function nodesToDepths(used: number): void {
  // Weights become parents.
  let leaf = 0;
  let root = 0;
  for (let next = 0; next < used - 1; next++) {
    let weight = 0;
    for (let child = 0; child < 2; child++) {
      if (leaf >= used || (root < next && nodes[root] < nodes[leaf])) {
        weight += nodes[root];
        nodes[root++] = next;
      } else weight += nodes[leaf++];
    }
    nodes[next] = weight;
  }
  // Parents become depths of inner nodes.
  nodes[used - 2] = 0;
  for (let next = used - 3; next >= 0; next--) nodes[next] = nodes[nodes[next]] + 1;
  // And these, depth by depth, say how many leaves stand there.
  let free = 1;
  let inner = used - 2;
  let next = used - 1;
  for (let depth = 0; free > 0; depth++) {
    let innerHere = 0;
    while (inner >= 0 && nodes[inner] === depth) {
      innerHere++;
      inner--;
    }
    for (; free > innerHere; free--) nodes[next--] = depth;
    free = 2 * innerHere;
  }
}

/** Codes cut to `bitsMax` are too many: each too many of them takes the place of one that is lengthened. */
function limitLengths(bitsMax: number): void {
  let total = 0;
  for (let bits = 1; bits <= bitsMax; bits++) total += ofLength[bits] << (bitsMax - bits);
  for (; total > 1 << bitsMax; total--) {
    ofLength[bitsMax]--;
    let bits = bitsMax - 1;
    while (ofLength[bits] === 0) bits--;
    ofLength[bits]--;
    ofLength[bits + 1] += 2;
  }
}

/** Canonical codes (RFC 1951, 3.2.2), turned round, because deflate writes their first bit first. */
function assignCodes(bits: Uint8Array, symbols: number, result: Uint32Array): void {
  ofLength.fill(0);
  for (let symbol = 0; symbol < symbols; symbol++) ofLength[bits[symbol]]++;
  ofLength[0] = 0;
  let code = 0;
  for (let length = 1; length <= CODE_BITS_MAX; length++) {
    code = (code + ofLength[length - 1]) << 1;
    nextCode[length] = code;
  }
  for (let symbol = 0; symbol < symbols; symbol++) {
    const length = bits[symbol];
    if (length !== 0) result[symbol] = turned(nextCode[length]++, length) | (length << CODE_SHIFT);
  }
}

function turned(code: number, bits: number): number {
  let result = 0;
  for (let i = 0; i < bits; i++) result |= ((code >>> i) & 1) << (bits - 1 - i);
  return result;
}

/**
 * The lengths of literals and the one distance code, runs of them joined, and how often each symbol of that
 * list appears.
 */
function listRuns(): void {
  runCount = 0;
  lengthCounts.fill(0);
  for (let i = 0; i < LENGTHS_LISTED; ) {
    const length = lengths[i];
    let end = i + 1;
    while (end < LENGTHS_LISTED && lengths[end] === length) end++;
    let left = end - i;
    if (length !== 0) {
      addRun(length, 0);
      left--;
    }
    while (left >= 3) {
      const longest = length !== 0 ? 6 : left > 10 ? 138 : 10;
      const run = Math.min(left, longest);
      if (length !== 0) addRun(REPEAT_LAST, run - 3);
      else if (run > 10) addRun(REPEAT_ZERO_LONG, run - 11);
      else addRun(REPEAT_ZERO, run - 3);
      left -= run;
    }
    for (; left > 0; left--) addRun(length, 0);
    i = end;
  }
}

function addRun(symbol: number, extra: number): void {
  runs[runCount++] = symbol | (extra << RUN_SHIFT);
  lengthCounts[symbol]++;
}

function extraBits(symbol: number): number {
  if (symbol < REPEAT_LAST) return 0;
  return symbol === REPEAT_LAST ? 2 : symbol === REPEAT_ZERO ? 3 : 7;
}

function listedLengths(): number {
  let listed = LENGTH_SYMBOLS;
  while (lengthLengths[LENGTH_ORDER[listed - 1]] === 0) listed--;
  return listed;
}

/** Bits of the whole block as the lengths say. */
function blockBits(): number {
  let bits = HEADER_BITS + listedLengths() * 3;
  for (let i = 0; i < LENGTH_SYMBOLS; i++) bits += lengthCounts[i] * (lengthLengths[i] + extraBits(i));
  for (let symbol = 0; symbol < SYMBOLS; symbol++) bits += counts[symbol] * lengths[symbol];
  return bits;
}

function writeHeader(isLast: boolean, out: Uint8Array, at: number): number {
  const listed = listedLengths();
  at = writeBits((isLast ? 1 : 0) | (DYNAMIC_BLOCK << 1), 3, out, at);
  // 257 literal codes and one distance code are the fewest: both counts, of five bits each, are zero.
  at = writeBits((listed - 4) << 10, 14, out, at);
  for (let i = 0; i < listed; i++) at = writeBits(lengthLengths[LENGTH_ORDER[i]], 3, out, at);
  for (let i = 0; i < runCount; i++) {
    const symbol = runs[i] & ((1 << RUN_SHIFT) - 1);
    const code = lengthCodes[symbol];
    const bits = code >>> CODE_SHIFT;
    const extra = (runs[i] >>> RUN_SHIFT) << bits;
    at = writeBits((code & CODE_MASK) | extra, bits + extraBits(symbol), out, at);
  }
  return at;
}

function writeCode(code: number, out: Uint8Array, at: number): number {
  return writeBits(code & CODE_MASK, code >>> CODE_SHIFT, out, at);
}

/** Up to 16 bits; fewer than that are held. */
function writeBits(value: number, bits: number, out: Uint8Array, at: number): number {
  held |= value << heldBits;
  heldBits += bits;
  if (heldBits < 16) return at;
  out[at] = held;
  out[at + 1] = held >>> 8;
  held >>>= 16;
  heldBits -= 16;
  return at + 2;
}

/**
 * writeBits for many bytes: the hot loop. Two codes at a time, without asking whether bytes are full: that is
 * as random as compressed bytes, and the wrong guess costs more than to write four bytes and keep those that
 * are.
 */
function writeBytes(raw: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  if (out !== viewedOut) {
    viewedOut = out;
    view = new DataView(out.buffer, out.byteOffset, out.length);
  }
  const words = view;
  let bits = held;
  let bitCount = heldBits;
  if (bitCount >= 8) {
    out[at++] = bits;
    bits >>>= 8;
    bitCount -= 8;
  }
  let i = from;
  for (; i + 1 < to; i += 2) {
    const one = codes[raw[i]];
    const other = codes[raw[i + 1]];
    bits |= (one & CODE_MASK) << bitCount;
    bitCount += one >>> CODE_SHIFT;
    bits |= (other & CODE_MASK) << bitCount;
    bitCount += other >>> CODE_SHIFT;
    words.setUint32(at, bits, true);
    const bytes = bitCount >>> 3;
    at += bytes;
    bits >>>= bytes << 3;
    bitCount &= 7;
  }
  held = bits;
  heldBits = bitCount;
  return i < to ? writeCode(codes[raw[i]], out, at) : at;
}
