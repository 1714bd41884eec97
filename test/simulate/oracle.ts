/**
 * Knows what truly happened in a world, and says which promise is broken by what the disk holds or what a
 * recorder is about to do. Everything is judged by true time and by who made a file, never by what files,
 * names or clocks say.
 */
import { basename } from 'node:path';
import { GapCause } from '../../src/event/gap.js';
import { LIVE_SUFFIX } from '../../src/log/format/format.js';
import type { RemovalReason } from '../../src/log/format/retention-note.js';
import type { RetentionOptions, WriterEvent } from '../../src/record/writer/writer-task.js';
import type { Inode } from './inode.js';
import { type Contents, contentsOf, digestOf } from './reading.js';
import type { SimClock } from './sim-clock.js';
import type { DiskWatcher, SimDisk } from './sim-disk.js';
import type { SimRecorder } from './sim-recorder.js';

const DAY_MS = 86_400_000;
/** How much older than the log's newest time a start may be taken for before its clock is in doubt. */
const AGE_TOLERANCE_DAYS = 1.01;

/** A broken promise: what, and where. */
export class Broken extends Error {
  override readonly name = 'Broken';
  constructor(
    readonly promise: string,
    what: string,
  ) {
    super(`${promise}: ${what}`);
  }
}

interface Made {
  inode: Inode;
  readonly recorder: string;
  readonly run: number;
  readonly madeMs: number;
  /** The file of the same recorder before it, which it must continue. */
  readonly after: Made | undefined;
  /** Hashes of what it stood for before it was squeezed. */
  readonly chains: Set<string>;
  /** What it held when it was removed. */
  last: Contents | undefined;
  /** Removed by a recorder; then its contents are accounted for. */
  removed: boolean;
  /** Somebody else removed or spoilt it: nothing is asked of it any more. */
  excused: boolean;
}

/** The circumstances of a removal, from before it is done. */
interface Removal {
  readonly made: Made;
  readonly total: number;
  readonly free: number;
  readonly removable: number;
  readonly older: string;
  readonly lacksInodes: boolean;
}

interface Run {
  readonly recorder: string;
  readonly number: number;
  readonly sim: SimRecorder;
  acknowledged: number;
  isEnded: boolean;
}

/** What the process of a recorder is called: its letter, then the number of its run. */
export function letterOf(process: string): string {
  return process.split('#')[0];
}

export class Oracle implements DiskWatcher {
  disk!: SimDisk;
  readonly eventMs: number[] = [];
  readonly eventUs: number[] = [];
  /** Which run was given the event, and as which of its events. */
  readonly #eventRun: Run[] = [];
  readonly #eventAt: number[] = [];
  readonly made: Made[] = [];
  readonly runs: Run[] = [];
  /** Inodes that nobody may remove. */
  readonly held = new Set<number>();
  /** Paths under hold, through whatever links there are by now. */
  readonly heldPaths: string[] = [];
  /** Files of the world that must stay as they are. */
  readonly foreign = new Map<string, string>();
  /** The wall clock was not true at some time. */
  hasClockFaults = false;
  #removing: Removal | undefined;

  constructor(readonly clock: SimClock) {}

  noteEvent(number: number, sim: SimRecorder): void {
    this.eventMs[number] = this.clock.trueMs;
    this.eventUs[number] = this.clock.wallUs();
    this.#eventRun[number] = this.runs.findLast((run) => run.sim === sim)!;
    this.#eventAt[number] = sim.given.length - 1;
  }

  runBegins(recorder: string, number: number, sim: SimRecorder): void {
    this.runs.push({ recorder, number, sim, acknowledged: 0, isEnded: false });
  }

  /** Another file stands in the place of this one, and tells of it. */
  squeezes(made: Made, by: Inode): void {
    for (const chain of made.last!.chains) made.chains.add(chain[1]);
    made.inode = by;
    made.last = undefined;
  }

  /** Everything below `from` is below `to` now. */
  moved(from: string, to: string): void {
    for (const [path, digest] of [...this.foreign])
      if (path.startsWith(`${from}/`)) {
        this.foreign.delete(path);
        this.foreign.set(to + path.slice(from.length), digest);
      }
  }

  runEnds(sim: SimRecorder): void {
    const run = this.runs.find((candidate) => candidate.sim === sim)!;
    run.acknowledged = sim.acknowledged;
    run.isEnded = true;
  }

  // Before it is done

  created(path: string, inode: Inode): void {
    if (!path.endsWith(LIVE_SUFFIX)) return;
    const recorder = letterOf(inode.maker);
    const after = this.made.findLast(
      (made) =>
        made.recorder === recorder &&
        !made.excused &&
        !made.removed &&
        made.inode.links > 0 &&
        contentsOf(made.inode) !== undefined,
    );
    const run = Number(inode.maker.split('#')[1]);
    const madeMs = this.clock.trueMs;
    this.made.push({
      inode,
      recorder,
      run,
      madeMs,
      after,
      chains: new Set(),
      last: undefined,
      removed: false,
      excused: false,
    });
  }

  renaming(path: string, inode: Inode, process: string): void {
    if (letterOf(inode.maker) !== letterOf(process))
      throw new Broken('foreign file', `${process} renames ${path}, made by ${inode.maker || 'somebody'}`);
  }

  truncating(inode: Inode, bytes: number, process: string): void {
    if (bytes >= inode.bytes) return;
    if (letterOf(inode.maker) !== letterOf(process))
      throw new Broken('foreign file', `${process} cuts a file made by ${inode.maker || 'somebody'}`);
    const before = contentsOf(inode)?.numbers ?? [];
    const kept = contentsOf({ ...inode, bytes })?.numbers.length ?? 0;
    const lost = before.slice(kept).filter((number) => this.#isAcknowledged(number));
    if (lost.length > 0)
      throw new Broken('acknowledged', `${process} cuts ${lost.length} acknowledged events out of a file`);
  }

  removing(path: string, inode: Inode, process: string): void {
    const contents = contentsOf(inode);
    if (letterOf(inode.maker) !== letterOf(process) && contents !== undefined)
      throw new Broken('foreign file', `${process} removes ${path}, made by ${inode.maker || 'somebody'}`);
    if (this.#isHeld(inode)) throw new Broken('hold', `${process} removes ${path}, which is held`);
    if (contents === undefined || path.endsWith(LIVE_SUFFIX)) {
      const lost = (contents?.numbers ?? []).filter((number) => this.#isAcknowledged(number));
      if (lost.length > 0) throw new Broken('acknowledged', `${process} removes ${path} with ${lost.length}`);
      return;
    }
    const made = this.made.find((candidate) => candidate.inode === inode);
    if (made === undefined)
      throw new Broken('foreign file', `${process} removes ${path}, which it did not make`);
    made.last = contents;
    const others = this.#finished(made.recorder).filter((other) => other !== made);
    const removable = others.filter(({ inode: other }) => !this.#isHeld(other));
    const older = removable.find((other) => this.made.indexOf(other) < this.made.indexOf(made));
    const sum = (files: Made[]) => files.reduce((bytes, file) => bytes + file.inode.bytes, 0);
    this.#removing = {
      made,
      total: sum(this.#own(made.recorder)),
      free: Math.max(0, this.disk.capacityBytes - this.disk.usedBytes),
      removable: sum(removable) + inode.bytes,
      older: older === undefined ? '' : this.#nameOf(older.inode),
      lacksInodes: this.disk.inodes.size >= this.disk.inodesMax,
    };
  }

  /** What a recorder says. */
  heard(event: WriterEvent, retention: RetentionOptions | undefined, minFreeBytes: number): void {
    if (event.type !== 'removed') return;
    const removing = this.#removing!;
    this.#removing = undefined;
    removing.made.removed = true;
    this.#judgeRemoval(event.file, event.reason, removing, retention!, minFreeBytes);
  }

  #judgeRemoval(
    path: string,
    reason: RemovalReason,
    { made, total, free, removable, older, lacksInodes }: Removal,
    { keepDays = 0, keepBytes = 0 }: RetentionOptions,
    minFreeBytes: number,
  ): void {
    const newestMs = Math.max(made.madeMs, ...made.last!.numbers.map((number) => this.eventMs[number]));
    // A clock that ran a day without a step is believed, wherever it was set to.
    const isSteady = this.clock.trueMs - this.clock.steppedMs >= DAY_MS;
    const newestUs = Math.max(0, ...made.last!.numbers.map((number) => this.eventUs[number]));
    const ageDays = isSteady
      ? (this.clock.wallUs() - newestUs) / 1000 / DAY_MS
      : (this.clock.trueMs - newestMs) / DAY_MS;
    if (reason === 'age' && ageDays < keepDays - AGE_TOLERANCE_DAYS)
      throw new Broken('age', `${path} is ${ageDays.toFixed(1)} days old, of ${keepDays} to keep`);
    if (reason === 'bytes' && total <= keepBytes)
      throw new Broken('bytes', `${path} removed at ${total} bytes of ${keepBytes}`);
    if (reason === 'disk full' && !lacksInodes && free + removable < minFreeBytes)
      throw new Broken('in vain', `${path} removed, though all there is cannot leave ${minFreeBytes} free`);
    if (reason !== 'age' && older !== '')
      throw new Broken('order', `${path} removed before the older ${older}`);
  }

  // At the end of the world: every recorder has stopped

  judge(): void {
    const contents = new Map<Made, Contents>();
    for (const made of this.made) {
      const found = made.inode.links > 0 ? contentsOf(made.inode) : undefined;
      if (found !== undefined) contents.set(made, found);
    }
    this.#judgeEvents(contents);
    this.#judgeChains(contents);
    this.#judgeGaps(contents);
    this.#judgeLeftovers();
    for (const [path, digest] of this.foreign) {
      const inode = this.disk.inodeAt(path);
      if (inode === undefined || digestOf(inode) !== digest)
        throw new Broken('foreign file', `${path} was changed or removed`);
    }
  }

  #judgeEvents(contents: ReadonlyMap<Made, Contents>): void {
    const found = new Map<number, Made>();
    for (const [made, { numbers, isSound }] of contents) {
      if (!isSound) throw new Broken('half record', `${this.#nameOf(made.inode)} has a torn end`);
      for (const number of numbers) {
        if (found.has(number)) throw new Broken('doubled', `event ${number} stands twice`);
        found.set(number, made);
      }
    }
    const excused = new Set<number>();
    for (const made of this.made)
      if (made.removed || made.excused) for (const number of made.last?.numbers ?? []) excused.add(number);
    for (const { sim, acknowledged, recorder, number: run } of this.runs)
      for (const number of sim.given.slice(0, acknowledged))
        if (!found.has(number) && !excused.has(number))
          throw new Broken('acknowledged', `event ${number} of run ${recorder}#${run} is missing`);
  }

  #judgeChains(contents: ReadonlyMap<Made, Contents>): void {
    for (const [made, { meta }] of contents) {
      const { after } = made;
      const name = this.#nameOf(made.inode);
      const previous = meta.previous?.chain;
      const others = this.made.filter((other) => other.recorder !== made.recorder);
      for (const other of others) {
        const chains = (contents.get(other) ?? other.last)?.chains;
        if (previous !== undefined && [...(chains?.values() ?? [])].includes(previous))
          throw new Broken('foreign file', `${name} continues a file of ${other.recorder}`);
      }
      if (after === undefined || after.excused) continue;
      const before = after.last ?? contents.get(after);
      if (before === undefined) continue;
      // A start continues what it found, also when that file then goes to make room for the new one.
      const gone = this.made.slice(this.made.indexOf(after) + 1).filter(({ removed }) => removed);
      const known = [before, ...gone.map(({ last }) => last)].flatMap((held) => [
        ...(held?.chains.values() ?? []),
      ]);
      known.push(...after.chains);
      if (previous === undefined || !known.includes(previous))
        throw new Broken('chain', `${name} does not continue ${this.#nameOf(after.inode)}`);
    }
  }

  #judgeGaps(contents: ReadonlyMap<Made, Contents>): void {
    const unseen: readonly string[] = [GapCause.notRunning, GapCause.died];
    for (const [made, { gaps }] of contents) {
      const name = this.#nameOf(made.inode);
      for (const { cause, fromUs, toUs } of gaps) {
        if (!unseen.includes(cause)) continue;
        if (toUs <= fromUs) throw new Broken('gap', `${name}: "${cause}" has no length`);
        if (this.hasClockFaults) continue;
        const recorded = this.runs
          .filter(({ recorder }) => recorder === made.recorder)
          .flatMap(({ sim, acknowledged }) => sim.given.slice(0, acknowledged))
          .find((number) => this.eventUs[number] > fromUs && this.eventUs[number] < toUs);
        if (recorded !== undefined) throw new Broken('gap', `${name}: "${cause}" covers event ${recorded}`);
      }
    }
    for (const made of this.made) {
      const { after } = made;
      const own = contents.get(made);
      if (own === undefined || after === undefined || after.run === made.run || after.excused) continue;
      const before = after.last ?? contents.get(after);
      const gaps = [...(before?.gaps.slice(-1) ?? []), ...own.gaps.slice(0, 1)];
      if (before !== undefined && !gaps.some(({ cause }) => unseen.includes(cause)))
        throw new Broken('gap', `${this.#nameOf(made.inode)}: the time since the run before is no gap`);
    }
  }

  #judgeLeftovers(): void {
    const torn = new Map<string, string>();
    for (const [path, number] of this.disk.names) {
      if (!basename(path).endsWith('.torn')) continue;
      const kept = path.replace(/(\.\d+)*\.torn$/, '');
      const digest = `${kept} ${digestOf(this.disk.inodes.get(number)!)}`;
      if (torn.has(digest)) throw new Broken('leftover', `${path} and ${torn.get(digest)} are the same`);
      torn.set(digest, path);
    }
  }

  #isHeld(inode: Inode): boolean {
    return this.held.has(inode.number) || this.heldPaths.some((path) => this.disk.inodeAt(path) === inode);
  }

  #isAcknowledged(number: number): boolean {
    const { sim, isEnded, acknowledged } = this.#eventRun[number];
    return this.#eventAt[number] < (isEnded ? acknowledged : sim.acknowledged);
  }

  #own(recorder: string): Made[] {
    return this.made.filter((made) => made.recorder === recorder && made.inode.links > 0 && !made.excused);
  }

  #finished(recorder: string): Made[] {
    return this.#own(recorder).filter(({ inode }) => !this.#nameOf(inode).endsWith(LIVE_SUFFIX));
  }

  #nameOf(inode: Inode): string {
    for (const [path, number] of this.disk.names) if (number === inode.number) return path;
    return `a file that is gone (${inode.number})`;
  }
}
