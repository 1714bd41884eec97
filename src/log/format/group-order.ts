/**
 * Rows in the order of their group, rows of one group in their own order: how some columns of squeezed files
 * stand.
 */
import { BATCH_CAPACITY } from '../../event/batch.js';

const GROUPS = 65536;

/** One per encoder or decoder; nothing is allocated per block. */
export class GroupOrder {
  readonly #order = new Uint32Array(BATCH_CAPACITY);
  readonly #next = new Uint32Array(GROUPS);

  /** Rows [0, count); borrowed until the next call. */
  sort(groups: Uint16Array, count: number): Uint32Array {
    const next = this.#next;
    let last = 0;
    for (let row = 0; row < count; row++) {
      const group = groups[row];
      if (group > last) last = group;
      next[group]++;
    }
    let at = 0;
    for (let group = 0; group <= last; group++) {
      const rows = next[group];
      next[group] = at;
      at += rows;
    }
    for (let row = 0; row < count; row++) this.#order[next[groups[row]]++] = row;
    next.fill(0, 0, last + 1);
    return this.#order;
  }
}
