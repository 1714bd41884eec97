/**
 * The connections that exist now, as rows of typed arrays: found by their tuples as in the kernel's table,
 * and taken out in the order of their ends.
 */
const INITIAL_ROWS = 1 << 16;

export class LiveConnections {
  count = 0;
  startUs = new Float64Array(INITIAL_ROWS);
  endUs = new Float64Array(INITIAL_ROWS);
  proto = new Uint8Array(INITIAL_ROWS);
  client = new Uint32Array(INITIAL_ROWS);
  server = new Uint32Array(INITIAL_ROWS);
  nat = new Uint32Array(INITIAL_ROWS);
  clientPort = new Uint16Array(INITIAL_ROWS);
  serverPort = new Uint16Array(INITIAL_ROWS);
  natPort = new Uint16Array(INITIAL_ROWS);
  /** Index of the connection's course (courses.ts). */
  course = new Uint8Array(INITIAL_ROWS);
  /** Rows by end: a binary heap of row numbers, the earliest first. */
  #heap = new Uint32Array(INITIAL_ROWS);
  /** Rows not in use. */
  #free = new Uint32Array(INITIAL_ROWS);
  #freeCount = 0;
  #orig = new TupleIndex();
  #reply = new TupleIndex();
  #rows = 0;

  hasOrig(proto: number, client: number, clientPort: number, server: number, serverPort: number): boolean {
    const { proto: p, client: c, clientPort: cp, server: s, serverPort: sp } = this;
    const index = this.#orig;
    for (
      let row = index.first(hash(proto, client, clientPort, server, serverPort));
      row >= 0;
      row = index.next(row)
    )
      if (
        c[row] === client &&
        cp[row] === clientPort &&
        s[row] === server &&
        sp[row] === serverPort &&
        p[row] === proto
      )
        return true;
    return false;
  }

  hasReply(proto: number, nat: number, natPort: number, server: number, serverPort: number): boolean {
    const { proto: p, nat: n, natPort: np, server: s, serverPort: sp } = this;
    const index = this.#reply;
    for (
      let row = index.first(hash(proto, nat, natPort, server, serverPort));
      row >= 0;
      row = index.next(row)
    )
      if (
        n[row] === nat &&
        np[row] === natPort &&
        s[row] === server &&
        sp[row] === serverPort &&
        p[row] === proto
      )
        return true;
    return false;
  }

  /** A new row; the caller fills its columns and then calls `insert`. */
  allocate(): number {
    if (this.#freeCount > 0) return this.#free[--this.#freeCount];
    if (this.#rows === this.endUs.length) this.#grow();
    return this.#rows++;
  }

  insert(row: number): void {
    this.#orig.insert(row, this.#origHash(row));
    this.#reply.insert(row, this.#replyHash(row));
    let at = this.count++;
    const heap = this.#heap;
    const endUs = this.endUs[row];
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.endUs[heap[parent]] <= endUs) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = row;
  }

  /** Row of the connection that ends first; -1 when there is none. */
  earliest(): number {
    return this.count === 0 ? -1 : this.#heap[0];
  }

  /** Take the connection that ends first out; its columns stay readable until the next `allocate`. */
  removeEarliest(): void {
    const heap = this.#heap;
    const removed = heap[0];
    this.#orig.remove(removed, this.#origHash(removed));
    this.#reply.remove(removed, this.#replyHash(removed));
    this.#free[this.#freeCount++] = removed;
    const row = heap[--this.count];
    const endUs = this.endUs[row];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.count) break;
      if (child + 1 < this.count && this.endUs[heap[child + 1]] < this.endUs[heap[child]]) child++;
      if (this.endUs[heap[child]] >= endUs) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = row;
  }

  #origHash(row: number): number {
    return hash(
      this.proto[row],
      this.client[row],
      this.clientPort[row],
      this.server[row],
      this.serverPort[row],
    );
  }

  #replyHash(row: number): number {
    return hash(this.proto[row], this.nat[row], this.natPort[row], this.server[row], this.serverPort[row]);
  }

  #grow(): void {
    const rows = this.endUs.length * 2;
    this.startUs = grown(this.startUs, new Float64Array(rows));
    this.endUs = grown(this.endUs, new Float64Array(rows));
    this.proto = grown(this.proto, new Uint8Array(rows));
    this.client = grown(this.client, new Uint32Array(rows));
    this.server = grown(this.server, new Uint32Array(rows));
    this.nat = grown(this.nat, new Uint32Array(rows));
    this.clientPort = grown(this.clientPort, new Uint16Array(rows));
    this.serverPort = grown(this.serverPort, new Uint16Array(rows));
    this.natPort = grown(this.natPort, new Uint16Array(rows));
    this.course = grown(this.course, new Uint8Array(rows));
    this.#heap = grown(this.#heap, new Uint32Array(rows));
    this.#free = grown(this.#free, new Uint32Array(rows));
    this.#orig.grow(rows);
    this.#reply.grow(rows);
    for (let i = 0; i < this.count; i++) {
      const row = this.#heap[i];
      this.#orig.insert(row, this.#origHash(row));
      this.#reply.insert(row, this.#replyHash(row));
    }
  }
}

/** Chains of rows with the same hash. */
class TupleIndex {
  /** Row + 1; 0 = none. */
  #buckets = new Uint32Array(INITIAL_ROWS);
  #next = new Uint32Array(INITIAL_ROWS);

  first(hash: number): number {
    return this.#buckets[hash & (this.#buckets.length - 1)] - 1;
  }

  next(row: number): number {
    return this.#next[row] - 1;
  }

  insert(row: number, hash: number): void {
    const bucket = hash & (this.#buckets.length - 1);
    this.#next[row] = this.#buckets[bucket];
    this.#buckets[bucket] = row + 1;
  }

  remove(row: number, hash: number): void {
    const bucket = hash & (this.#buckets.length - 1);
    if (this.#buckets[bucket] === row + 1) {
      this.#buckets[bucket] = this.#next[row];
      return;
    }
    let before = this.first(hash);
    while (this.#next[before] !== row + 1) before = this.next(before);
    this.#next[before] = this.#next[row];
  }

  /** Empty, for `rows` rows: the owner inserts everything again. */
  grow(rows: number): void {
    this.#buckets = new Uint32Array(rows);
    this.#next = new Uint32Array(rows);
  }
}

function hash(proto: number, inside: number, insidePort: number, server: number, serverPort: number): number {
  let h = Math.imul(inside ^ proto, 0x9e3779b1) ^ Math.imul(server, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15) ^ (insidePort << 16) ^ serverPort, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function grown<T extends Float64Array | Uint32Array | Uint16Array | Uint8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
