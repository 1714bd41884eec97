/**
 * What the store of open connections needs of a row from the log or from the kernel's table: the
 * whole key (zone, protocol, endpoints), the time, and what a snapshot record tells. There are a few hundred
 * rows of one family at a time, so that they stay in the cache.
 */
import type { EventBatch } from './batch.js';
import { hashKey, loadKey, PROTO_SHIFT } from './key.js';

const KEYED_ROWS = 512;

export class KeyedRows {
  count = 0;
  /** `keyWords` a row, as key.ts lays them out. */
  readonly keys: Uint32Array;
  readonly kind: Uint8Array;
  /** RecordFlag bits, TimeSource. */
  readonly flags: Uint8Array;
  readonly timeSource: Uint8Array;
  /** Microseconds since the epoch; `startUs` is the kernel's start time, 0 = none. */
  readonly timeUs: Float64Array;
  readonly startUs: Float64Array;
  readonly status: Uint32Array;
  readonly mark: Uint32Array;
  /** Of the keys, two words each, filled by `hash`. */
  readonly hashes: Int32Array;

  constructor(
    readonly keyWords: number,
    readonly capacity = KEYED_ROWS,
  ) {
    this.keys = new Uint32Array(capacity * keyWords);
    this.kind = new Uint8Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.timeSource = new Uint8Array(capacity);
    this.timeUs = new Float64Array(capacity);
    this.startUs = new Float64Array(capacity);
    this.status = new Uint32Array(capacity);
    this.mark = new Uint32Array(capacity);
    this.hashes = new Int32Array(capacity * 2);
  }

  /** Copy a row of a batch of this family. */
  append(batch: EventBatch, from: number): void {
    const row = this.count++;
    loadKey(this.keys.subarray(row * this.keyWords), batch, from);
    this.kind[row] = batch.kind[from];
    this.flags[row] = batch.flags[from];
    this.timeSource[row] = batch.timeSource[from];
    this.timeUs[row] = batch.timeUs[from];
    this.startUs[row] = batch.startUs[from];
    this.status[row] = batch.status[from];
    this.mark[row] = batch.mark[from];
  }

  /** IANA protocol number. */
  protoOf(row: number): number {
    return this.keys[(row + 1) * this.keyWords - 1] >>> PROTO_SHIFT;
  }

  /** Fill `hashes`. */
  hash(): void {
    const { keys, keyWords, hashes } = this;
    for (let row = 0; row < this.count; row++) hashKey(keys, row * keyWords, keyWords, hashes, row * 2);
  }
}
