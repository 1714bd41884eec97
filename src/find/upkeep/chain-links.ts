/**
 * The chain between the files of one check: each names the one before it. What retention removed is told by a
 * later file, so a report whose link is missing waits until one explains it, or until the end.
 */

import { printable } from '../../base/printable.js';
import type { PreviousFile } from '../../log/format/file-meta.js';
import type { RemovedFile } from '../../log/format/retention-note.js';
import { maySucceed } from './chain-order.js';
import type { CheckedFile, CheckReport } from './check-report.js';

interface Waiting {
  readonly report: () => CheckReport;
  /** A file whose link to the one given before it is missing, and how. */
  readonly unlinked?: { readonly file: CheckedFile; readonly what: string };
}

export class ChainLinks {
  #first: CheckedFile | undefined;
  #previous: CheckedFile | undefined;
  /** By last hash. */
  readonly #removed = new Map<string, RemovedFile>();
  readonly #announced = new Map<string, RemovedFile>();
  readonly #waiting: Waiting[] = [];

  /** The next file in the chain. Gives the reports that are complete. */
  *add(file: CheckedFile, report: () => CheckReport): Generator<CheckReport, void, void> {
    for (const removed of file.removed) this.#removed.set(removed.chain, removed);
    for (const announced of file.announced) this.#announced.set(announced.chain, announced);
    const previous = this.#previous;
    let what = previous && missingLink(previous, file);
    if (previous !== undefined && what !== undefined && !maySucceed(previous.meta, file.meta)) {
      this.#first = undefined; // another recorder's: its chain begins here
      what = undefined;
    }
    this.#first ??= file;
    if (this.#first !== file && file.removed.length > 0) this.#tellWhereItBegins(file);
    this.#previous?.chains.clear();
    this.#previous = file;
    this.#waiting.push({ report, ...(what !== undefined && { unlinked: { file, what } }) });
    yield* this.#complete(false);
  }

  /** Something that is not part of a chain; the next file begins a new one. */
  *pass(report: CheckReport): Generator<CheckReport, void, void> {
    this.#first = this.#previous = undefined;
    this.#waiting.push({ report: () => report });
    yield* this.#complete(false);
  }

  end(): Generator<CheckReport, void, void> {
    return this.#complete(true);
  }

  *#complete(isEnd: boolean): Generator<CheckReport, void, void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { report, unlinked } = next;
      if (unlinked !== undefined) {
        const { file, what } = unlinked;
        const removed = this.#removedBefore(file);
        const announced = this.#announced.get(namedBefore(file)?.chain ?? '');
        if (removed === undefined && announced !== undefined && !isEnd) return;
        if (removed === undefined && announced !== undefined)
          file.notes.push(
            `the file before it, ${printable(announced.file)}, was about to be removed by retention when the recorder ended`,
          );
        else if (removed !== undefined)
          file.notes.push(`the file before it, ${printable(removed.file)}, was removed by retention`);
        else if (!isEnd) return;
        else {
          file.damage.push({ code: 'bad-chain', offsetBytes: 0, lengthBytes: 0, what });
          file.damageCount++;
        }
      }
      this.#waiting.shift();
      yield report();
    }
  }

  #tellWhereItBegins(file: CheckedFile): void {
    const first = this.#first!;
    const removed = this.#removedBefore(first);
    if (removed !== undefined && file.removed.includes(removed))
      file.notes.push(
        `${printable(removed.file)}, the file before ${first.file}, is one of them: a chain begins there`,
      );
  }

  #removedBefore(file: CheckedFile): RemovedFile | undefined {
    const named = namedBefore(file);
    return named === undefined ? undefined : this.#removed.get(named.chain);
  }
}

/** How the later file fails to name a hash of the earlier one and where it stood; undefined when it does. */
function missingLink(earlier: CheckedFile, later: CheckedFile): string | undefined {
  const named = namedBefore(later);
  const chain = named === undefined ? undefined : earlier.chains.get(named.acknowledgedBytes);
  if (chain !== undefined && Buffer.from(chain).toString('hex') === named?.chain) return undefined;
  // A squeezed or repaired file stands in the place of one that had this hash at its end.
  if (named !== undefined && earlier.meta.origin?.lastChain === named.chain) return undefined;
  return named === undefined
    ? `does not continue ${earlier.file}: a chain begins here`
    : `does not continue ${earlier.file}: it names ${printable(named.file)} as the one before it`;
}

/** What a file says of its predecessor; it may be a lie. */
function namedBefore(file: CheckedFile): PreviousFile | undefined {
  return file.meta.previous;
}
