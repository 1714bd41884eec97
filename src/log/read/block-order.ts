/**
 * Whether the blocks of a file stand where their numbers say. A block is known by (run id, sequence): what
 * stands twice counts once, what stands at the wrong place counts all the same. Memory is bounded: an
 * undamaged file is one range of numbers.
 */
import { BlockType, isDataBlock } from '../format/format.js';
import type { ParsedFrame } from '../format/frame.js';
import { NumberRanges } from './number-ranges.js';

/**
 * Of a file with more holes, or blocks of more runs, the earlier are forgotten: a block that stands twice may
 * then count twice.
 */
const MAX_RANGES = 65_536;
const MAX_RUNS = 16;

export interface Placed {
  /** False of a block that was there already. */
  readonly isNew: boolean;
  /** What is wrong with its place, one line. */
  readonly fault?: string | undefined;
}

interface Run {
  readonly seen: NumberRanges;
  /** Of all blocks that left a trace, damaged ones too: smallest and largest number; 0 = none yet. */
  smallest: number;
  largest: number;
  /** Number of the last block in file order. */
  last: number;
}

export class BlockOrder {
  readonly #runs = new Map<bigint, Run>();

  /** An intact block, in file order. */
  place(frame: ParsedFrame): Placed {
    const { sequence, runId } = frame;
    const isForeign = this.#runs.size > 0 && !this.#runs.has(runId);
    const run = this.#run(runId);
    if (!isNumbered(frame, run)) return { isNew: true, fault: holeBefore(frame, run) };
    if (!run.seen.add(sequence))
      return { isNew: false, fault: `block ${sequence} is repeated after block ${run.last}` };
    if (run.seen.rangeCount > MAX_RANGES) {
      run.seen.clear();
      run.seen.add(sequence);
    }
    const isLate = sequence < run.last;
    const fault = isForeign
      ? `block ${sequence} belongs to another run of the recorder`
      : isLate
        ? `block ${sequence} is out of place, after block ${run.last}`
        : holeBefore(frame, run);
    note(run, sequence);
    run.last = sequence;
    return { isNew: true, fault };
  }

  /** A damaged block that has a whole header; answers what else is wrong at its place. */
  pass(frame: ParsedFrame): string | undefined {
    const run = this.#run(frame.runId);
    const fault = holeBefore(frame, run);
    if (isNumbered(frame, run)) note(run, frame.sequence);
    return fault;
  }

  /**
   * An end block that was placed says that it ends `blocks` data blocks; answers what is missing from the
   * first ones.
   */
  finish({ runId, sequence }: ParsedFrame, blocks: number): string | undefined {
    const { smallest } = this.#run(runId);
    const first = sequence - blocks + 1;
    const found = smallest === 0 ? sequence + 1 : smallest;
    return first >= 1 && first < found ? missing(first, found - 1) : undefined;
  }

  #run(runId: bigint): Run {
    const known = this.#runs.get(runId);
    if (known !== undefined) return known;
    if (this.#runs.size === MAX_RUNS) this.#runs.delete(this.#runs.keys().next().value!);
    const run = { seen: new NumberRanges(), smallest: 0, largest: 0, last: 0 };
    this.#runs.set(runId, run);
    return run;
  }
}

/**
 * Does the block have a number of its own? One of a type that this version does not know has, when its number
 * is a new one.
 */
function isNumbered({ type, sequence }: ParsedFrame, run: Run): boolean {
  if (type === BlockType.header || type === BlockType.index || type === BlockType.end) return false;
  return isDataBlock(type) || sequence > run.largest;
}

/**
 * Numbers between the largest so far and this block's are missing; index and end blocks repeat the number
 * before them.
 */
function holeBefore(frame: ParsedFrame, run: Run): string | undefined {
  const { largest } = run;
  const before = isNumbered(frame, run) ? frame.sequence - 1 : frame.sequence;
  if (largest === 0 || before <= largest) return undefined;
  run.largest = before;
  return missing(largest + 1, before);
}

function note(run: Run, sequence: number): void {
  run.largest = Math.max(run.largest, sequence);
  run.smallest = run.smallest === 0 ? sequence : Math.min(run.smallest, sequence);
}

function missing(first: number, last: number): string {
  return first === last ? `block ${first} is missing` : `blocks ${first} to ${last} are missing`;
}
