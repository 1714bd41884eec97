/**
 * A hash over the rows of many batches that does not depend on where one batch ends: to see that a file reads
 * back as written. Every column has a hash of its own, so that whole arrays go into it.
 */
import { createHash } from 'node:crypto';
import { AF_INET, type EventBatch } from '../../event/batch.js';
import { type ColumnName, columnEntries } from '../../event/columns.js';

const ADDRESS_WORDS = 4;

export class RowDigest {
  readonly #hashes = columnEntries.map(([name, column]) => ({ name, column, hash: createHash('sha256') }));
  #addresses = new Uint32Array(0);

  add(batch: EventBatch): void {
    for (const { name, column, hash } of this.#hashes) {
      if (column.refersTo === 'addresses') hash.update(this.#addressesOf(batch, name));
      else if (column.refersTo === 'helpers') hash.update(namesOf(batch, name));
      else hash.update(batch[name].subarray(0, batch.count * (column.elements ?? 1)));
    }
  }

  digest(): string {
    const all = createHash('sha256');
    for (const { hash } of this.#hashes) all.update(hash.digest());
    return all.digest('hex');
  }

  /** The addresses themselves: their indexes differ from batch to batch. */
  #addressesOf(batch: EventBatch, name: ColumnName): Uint32Array {
    const { addresses4, addresses6, count, family } = batch;
    const indexes = batch[name];
    if (this.#addresses.length < count * ADDRESS_WORDS)
      this.#addresses = new Uint32Array(batch.capacity * ADDRESS_WORDS);
    const words = this.#addresses.fill(0, 0, count * ADDRESS_WORDS);
    for (let row = 0; row < count; row++) {
      const at = row * ADDRESS_WORDS;
      const from = indexes[row] * ADDRESS_WORDS;
      if (family[row] === AF_INET) words[at] = addresses4.values[indexes[row]];
      else for (let i = 0; i < ADDRESS_WORDS; i++) words[at + i] = addresses6.words[from + i];
    }
    return words.subarray(0, count * ADDRESS_WORDS);
  }
}

/** The helper names, each behind its length. */
function namesOf(batch: EventBatch, name: ColumnName): string {
  const { helpers, count } = batch;
  const indexes = batch[name];
  let names = '';
  for (let row = 0; row < count; row++) {
    const helper = helpers[indexes[row]];
    names += `${helper.length}:${helper}`;
  }
  return names;
}
