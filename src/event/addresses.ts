/**
 * The distinct addresses of a batch, in order of first appearance. Rows hold indexes; index 0 is the all-zero
 * address, always there. A hash table with linear probing over typed arrays: `intern` runs several times per
 * event on the parser thread and never allocates except when a table doubles.
 */

/**
 * Small: a table grows while V8 still learns what it does, not when the code is compiled, which would be
 * given up for it.
 */
const INITIAL_CAPACITY = 64;

export class AddressTable4 {
  count = 1;
  /** Address of each index as a u32, most significant byte first (10.0.0.1 = 0x0a000001). */
  values = new Uint32Array(INITIAL_CAPACITY);
  #slots = new Uint32Array(INITIAL_CAPACITY * 2);
  #mask = INITIAL_CAPACITY * 2 - 1;

  /**
   * Index of the address, added when it is new. Above 127.255.255.255 it may be given as the negative number
   * of the same bits, which needs no box where it is passed on.
   */
  intern(word: number): number {
    if (word === 0) return 0;
    const address = word >>> 0;
    const slots = this.#slots;
    const mask = this.#mask;
    let next = Math.imul(address, 0x9e3779b1) >>> 7;
    for (;;) {
      const slot = next & mask;
      next = slot + 1; // in every pass, or the first collision would cost the compiled code
      const index = slots[slot];
      if (index === 0) return this.#add(word, slot);
      if (this.values[index] === address) return index;
    }
  }

  /**
   * Append without looking it up: for readers, which know that a stored table has no duplicates and never
   * call `intern`.
   */
  append(address: number): number {
    if (this.count === this.values.length) this.values = doubled(this.values);
    this.values[this.count] = address;
    return this.count++;
  }

  clear(): void {
    if (this.count > 1) this.#slots.fill(0);
    this.count = 1;
  }

  #add(address: number, slot: number): number {
    if (this.count === this.values.length) {
      this.values = doubled(this.values);
      this.#rehash();
      return this.intern(address);
    }
    this.values[this.count] = address;
    this.#slots[slot] = this.count;
    return this.count++;
  }

  #rehash(): void {
    this.#slots = new Uint32Array(this.values.length * 2);
    this.#mask = this.#slots.length - 1;
    for (let index = 1; index < this.count; index++) {
      let slot = (Math.imul(this.values[index], 0x9e3779b1) >>> 7) & this.#mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = index;
    }
  }
}

export class AddressTable6 {
  count = 1;
  /** Four u32 per index, most significant first. */
  words = new Uint32Array(INITIAL_CAPACITY * 4);
  #slots = new Uint32Array(INITIAL_CAPACITY * 2);
  #mask = INITIAL_CAPACITY * 2 - 1;

  /**
   * Index of the address given as four u32, most significant first; added when it is new. Negative numbers as
   * in AddressTable4.
   */
  intern(a: number, b: number, c: number, d: number): number {
    if ((a | b | c | d) === 0) return 0;
    const { words } = this;
    const slots = this.#slots;
    const mask = this.#mask;
    let next = hash6(a, b, c, d);
    for (;;) {
      const slot = next & mask;
      next = slot + 1;
      const index = slots[slot];
      if (index === 0) return this.#add(a, b, c, d, slot);
      const word = index * 4;
      if (((words[word + 3] ^ d) | (words[word + 2] ^ c) | (words[word + 1] ^ b) | (words[word] ^ a)) === 0)
        return index;
    }
  }

  /** Append without looking it up: for readers (see AddressTable4). */
  append(a: number, b: number, c: number, d: number): number {
    if (this.count * 4 === this.words.length) this.words = doubled(this.words);
    this.#write(a, b, c, d);
    return this.count++;
  }

  clear(): void {
    if (this.count > 1) this.#slots.fill(0);
    this.count = 1;
  }

  #write(a: number, b: number, c: number, d: number): void {
    const word = this.count * 4;
    this.words[word] = a;
    this.words[word + 1] = b;
    this.words[word + 2] = c;
    this.words[word + 3] = d;
  }

  #add(a: number, b: number, c: number, d: number, slot: number): number {
    if (this.count * 4 === this.words.length) {
      this.words = doubled(this.words);
      this.#rehash();
      return this.intern(a, b, c, d);
    }
    this.#write(a, b, c, d);
    this.#slots[slot] = this.count;
    return this.count++;
  }

  #rehash(): void {
    this.#slots = new Uint32Array(this.words.length / 2);
    this.#mask = this.#slots.length - 1;
    for (let index = 1; index < this.count; index++) {
      const word = index * 4;
      const { words } = this;
      let slot = hash6(words[word], words[word + 1], words[word + 2], words[word + 3]) & this.#mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = index;
    }
  }
}

function hash6(a: number, b: number, c: number, d: number): number {
  let hash = Math.imul(a, 0x9e3779b1) ^ b;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) ^ c;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) ^ d;
  return Math.imul(hash ^ (hash >>> 16), 0x9e3779b1) >>> 7;
}

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
