/**
 * Joins starts and ends into connections: one rule for every query. The key is zone, protocol and all four
 * endpoints.
 *
 * - An end that carries a kernel start time pairs only with that start: the nearest within
 *   START_TOLERANCE_US, any time later when the start was stamped as it was received, or one that was told
 *   late. Any other end pairs with the latest open start of its key that is not later than the end (clocks
 *   are set; if all are later, with the latest).
 * - Starts older than the one paired have ended unseen: they are given with "end not seen, before T", T being
 *   the next start.
 * - A snapshot record (entry already open) counts as a start, unless its start was seen.
 * - An end without a start in the file is kept; its start is unknown unless the kernel told it.
 * - A gap between start and end flags the pair.
 * - What the recorder found by comparing table and log (RecordFlag.derived) starts and ends connections too;
 *   such an end only says that it came before a time. These rows and snapshots are written beside the events,
 *   so the end of a connection may stand a moment before them: it gets its start from them then. A look at
 *   the table from before the file was opened says nothing in it: what was open then is in the file's own
 *   snapshot.
 *
 * Order of the result: by end as recorded, and after the last record those still open, by start.
 */
import { AF_INET, EventBatch, RecordFlag, RecordKind, TimeSource } from './batch.js';
import { appendEnd, appendOpen } from './connection-rows.js';
import { KEY4_WORDS, KEY6_WORDS } from './key.js';
import { OpenStarts, UnstartedEnds } from './open-starts.js';

/** The event time of a start and the kernel's start time of the same entry differ by tens of microseconds. */
export const START_TOLERANCE_US = 5000;
/**
 * Ends without a start that are remembered for a row that comes late: as many as a large table has entries.
 */
const MAX_UNSTARTED = 1 << 20;
/** Unended starts kept for one key: more than two are already the sign of lost ends. */
const MAX_OPEN_PER_KEY = 4;
const NONE = -1;

export class Pairer {
  readonly #open4 = new OpenStarts(KEY4_WORDS);
  readonly #open6 = new OpenStarts(KEY6_WORDS);
  readonly #unstarted4 = new UnstartedEnds(KEY4_WORDS);
  readonly #unstarted6 = new UnstartedEnds(KEY6_WORDS);
  readonly #out: EventBatch;
  /** Rows given in batches before `#out`. */
  #rowsGiven = 0;
  #gaps = 0;
  /** So far: starts whose end was not seen, and ends whose start is unknown. */
  endUnseenCount = 0;
  startUnseenCount = 0;

  /** `openedUs`: when the file was opened, microseconds since the epoch. */
  constructor(
    readonly openedUs = 0,
    outputCapacity?: number,
  ) {
    this.#out = new EventBatch(outputCapacity);
  }

  /**
   * Take rows of a batch in order: `rows[0]` to `rows[count - 1]`. Yields full output batches, valid until
   * the next step.
   */
  *add(batch: EventBatch, rows: Uint32Array, count: number): Generator<EventBatch, void, void> {
    for (let i = 0; i < count; i++) {
      // One row in gives at most one connection and those it makes stale.
      if (this.#out.count + MAX_OPEN_PER_KEY + 1 > this.#out.capacity) yield* this.flush();
      const row = rows[i];
      const kind = batch.kind[row];
      if (kind === RecordKind.start || kind === RecordKind.snapshot) this.#start(batch, row);
      else if (kind === RecordKind.end) this.#end(batch, row);
    }
  }

  /** The recorder lost events here. */
  noteGap(): void {
    this.#gaps++;
  }

  /** What is finished so far. */
  *flush(): Generator<EventBatch, void, void> {
    if (this.#out.count === 0) return;
    yield this.#out;
    this.#rowsGiven += this.#out.count;
    this.#out.clear();
  }

  /** The log ends here: what is left, then the open ones by start time. */
  *finish(): Generator<EventBatch, void, void> {
    const sorted4 = this.#open4.sorted();
    const sorted6 = this.#open6.sorted();
    for (let i4 = 0, i6 = 0; i4 < sorted4.length || i6 < sorted6.length; ) {
      const next4 = i4 < sorted4.length ? this.#open4.timeUs(sorted4[i4]) : Number.POSITIVE_INFINITY;
      const next6 = i6 < sorted6.length ? this.#open6.timeUs(sorted6[i6]) : Number.POSITIVE_INFINITY;
      if (this.#out.count === this.#out.capacity) yield* this.flush();
      if (next4 <= next6) this.#giveUp(this.#open4, sorted4[i4++]);
      else this.#giveUp(this.#open6, sorted6[i6++]);
    }
    yield* this.flush();
  }

  #start(batch: EventBatch, row: number): void {
    const store = batch.family[row] === AF_INET ? this.#open4 : this.#open6;
    store.loadRow(batch, row);
    const isSnapshot = batch.kind[row] === RecordKind.snapshot;
    const isFromTable = isSnapshot || (batch.flags[row] & RecordFlag.derived) !== 0;
    const kernelStartUs = batch.startUs[row];
    const timeUs = isFromTable && kernelStartUs > 0 ? kernelStartUs : batch.timeUs[row];
    if (isFromTable && (batch.timeUs[row] < this.openedUs || this.#isLate(batch, row, store, timeUs))) return;
    let entry = store.newest();
    if (entry !== NONE) {
      const sameStart = sameOrUnknown(store.kernelStartUs(entry), kernelStartUs);
      if (isFromTable && sameStart) return;
      // A start that the dump overtook: the same connection, now with its start.
      const toleranceUs = store.flags(entry) & RecordFlag.startUnseen ? 0 : START_TOLERANCE_US;
      const upgrades = sameStart && store.isFromTable(entry) && timeUs <= store.timeUs(entry) + toleranceUs;
      if (!upgrades) {
        store.setEndedBeforeUs(entry, timeUs);
        this.#limitOpen(store, entry);
        entry = store.add();
      }
    } else entry = store.add();
    const flags =
      (batch.flags[row] & ~RecordFlag.derived) |
      (isFromTable && kernelStartUs === 0 ? RecordFlag.startUnseen : 0);
    store.fill(entry, batch, row, timeUs, flags, isFromTable, this.#gaps);
  }

  #end(batch: EventBatch, row: number): void {
    const store = batch.family[row] === AF_INET ? this.#open4 : this.#open6;
    store.loadRow(batch, row);
    const newest = store.newest();
    if (batch.flags[row] & RecordFlag.derived) {
      this.#endUnseen(store, newest, batch, row);
      return;
    }
    let paired = NONE;
    if (newest !== NONE) {
      const kernelStartUs = batch.startUs[row];
      if (kernelStartUs > 0) {
        paired = findKernelStart(store, newest, kernelStartUs);
        if (paired === NONE) paired = takeLateStart(store, newest, kernelStartUs, batch.timeUs[row]);
        this.#giveUpOlder(store, paired === NONE ? newest : store.older(paired), kernelStartUs);
      } else {
        paired = findLatest(store, newest, batch.timeUs[row]);
        this.#giveUpOlder(store, store.older(paired), Number.POSITIVE_INFINITY);
      }
    }
    appendEnd(this.#out, store, paired, this.#gaps, batch, row);
    if (paired !== NONE) store.remove(paired);
    else {
      if (batch.startUs[row] === 0) this.startUnseenCount++;
      this.#rememberUnstarted(batch, row, store);
    }
  }

  /**
   * An end that nobody saw: after `endUs`, when the connection was last known to be open, and before the
   * row's time.
   */
  #endUnseen(store: OpenStarts, newest: number, batch: EventBatch, row: number): void {
    let entry = newest;
    while (
      entry !== NONE &&
      store.timeUs(entry) > batch.endUs[row] &&
      (store.flags(entry) & RecordFlag.startUnseen) === 0
    )
      entry = store.older(entry);
    if (entry === NONE) return; // its start is not in the file either: nothing is known but that it was
    this.#giveUpOlder(store, store.older(entry), store.timeUs(entry));
    store.setEndedBeforeUs(entry, batch.timeUs[row]);
    this.#giveUp(store, entry);
  }

  /** The end has just been appended to the output. */
  #rememberUnstarted(batch: EventBatch, row: number, store: OpenStarts): void {
    const unstarted = this.#unstartedOf(batch, row);
    if (unstarted.count >= MAX_UNSTARTED) unstarted.clear();
    unstarted.loadKeyOf(store);
    unstarted.fill(unstarted.add(), batch.timeUs[row], this.#rowsGiven + this.#out.count - 1);
  }

  /** A start that is told after its end: the end gets it when it has not been handed out yet. */
  #isLate(batch: EventBatch, row: number, store: OpenStarts, startUs: number): boolean {
    const unstarted = this.#unstartedOf(batch, row);
    if (unstarted.count === 0) return false;
    unstarted.loadKeyOf(store);
    const entry = unstarted.newest();
    if (entry === NONE) return false;
    // Every end in the file is behind what was open at its beginning.
    if (batch.timeUs[row] !== this.openedUs && unstarted.timeUs(entry) < batch.timeUs[row]) return false;
    const outRow = unstarted.outputRow(entry) - this.#rowsGiven;
    if (outRow >= 0 && batch.startUs[row] > 0 && this.#out.flags[outRow] & RecordFlag.startUnseen) {
      this.#out.timeUs[outRow] = startUs;
      this.#out.timeSource[outRow] = batch.timeSource[row];
      this.#out.flags[outRow] &= ~RecordFlag.startUnseen;
      this.startUnseenCount--;
    }
    unstarted.remove(entry);
    return true;
  }

  #unstartedOf(batch: EventBatch, row: number): UnstartedEnds {
    return batch.family[row] === AF_INET ? this.#unstarted4 : this.#unstarted6;
  }

  /** Give up `entry` and the older ones of its key that started before `beforeUs`, the oldest first. */
  #giveUpOlder(store: OpenStarts, entry: number, beforeUs: number): void {
    if (entry === NONE) return;
    this.#giveUpOlder(store, store.older(entry), beforeUs);
    if (store.timeUs(entry) >= beforeUs) return;
    if (store.endedBeforeUs(entry) === 0) store.setEndedBeforeUs(entry, beforeUs);
    this.#giveUp(store, entry);
  }

  /** Make room for one more start of a key. */
  #limitOpen(store: OpenStarts, newest: number): void {
    let oldest = newest;
    let open = 1;
    for (let entry = store.older(newest); entry !== NONE; entry = store.older(entry)) {
      oldest = entry;
      open++;
    }
    if (open >= MAX_OPEN_PER_KEY) this.#giveUp(store, oldest);
  }

  #giveUp(store: OpenStarts, entry: number): void {
    appendOpen(this.#out, store, entry, this.#gaps);
    store.remove(entry);
    this.endUnseenCount++;
  }
}

function sameOrUnknown(aUs: number, bUs: number): boolean {
  return aUs === 0 || bUs === 0 || Math.abs(aUs - bUs) <= START_TOLERANCE_US;
}

/**
 * The open start that the kernel's start time means, from `newest` on to older ones: the nearest that it can
 * be.
 */
function findKernelStart(store: OpenStarts, newest: number, kernelStartUs: number): number {
  let found = NONE;
  let nearestUs = Number.POSITIVE_INFINITY;
  for (let entry = newest; entry !== NONE; entry = store.older(entry)) {
    const lateUs = (store.kernelStartUs(entry) || store.timeUs(entry)) - kernelStartUs;
    const distanceUs = Math.abs(lateUs);
    const canBe = distanceUs <= START_TOLERANCE_US || (lateUs > 0 && mayBeLate(store, entry));
    if (!canBe || distanceUs >= nearestUs) continue;
    found = entry;
    nearestUs = distanceUs;
  }
  return found;
}

/**
 * A start that carries no time of the kernel was stamped when it was received, one from the table when that
 * was read.
 */
function mayBeLate(store: OpenStarts, entry: number): boolean {
  const source = store.timeSource(entry);
  if (store.isFromTable(entry)) return store.kernelStartUs(entry) === 0;
  return source !== TimeSource.event && source !== TimeSource.entry;
}

/**
 * A start told late: between an entry's true start and its end there can be no other of its key. It gets the
 * true time. A kernel in reliable mode sends a start that was lost with a later event, and without a time of
 * its own one has that of its receipt.
 */
function takeLateStart(store: OpenStarts, entry: number, kernelStartUs: number, endUs: number): number {
  for (; entry !== NONE; entry = store.older(entry)) {
    const startUs = store.timeUs(entry);
    if (store.kernelStartUs(entry) !== 0 || startUs < kernelStartUs || startUs > endUs) continue;
    store.setStart(entry, kernelStartUs, TimeSource.entry);
    return entry;
  }
  return NONE;
}

/** The latest open start that is not after the end, or the latest of all. */
function findLatest(store: OpenStarts, newest: number, endUs: number): number {
  for (let entry = newest; entry !== NONE; entry = store.older(entry))
    if (store.timeUs(entry) <= endUs) return entry;
  return newest;
}
