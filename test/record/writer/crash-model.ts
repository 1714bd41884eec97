/**
 * What a disk may hold after a crash. The writer's file operations are recorded while they are done for real;
 * from any prefix of them the files are made that a crash at that moment may leave:
 *
 * - certain is only what a sync of the file (contents) or of its directory (names) had made so;
 * - of the rest, anything may be there or not, in any combination; a write also as a part of it, or as zeros
 *   of its length;
 * - what a failed sync was to make certain never is, whatever later syncs say.
 *
 * The process alone being killed is the case in which everything is there.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LogFile, LogFileSystem } from '../../../src/base/disk/disk.js';

export type Operation =
  | { readonly type: 'create'; readonly path: string; readonly inode: number }
  | { readonly type: 'write'; readonly inode: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly inode: number; readonly length: number }
  | { readonly type: 'sync'; readonly inode: number; readonly failed: boolean }
  | { readonly type: 'rename'; readonly from: string; readonly to: string }
  | { readonly type: 'remove'; readonly path: string }
  | { readonly type: 'syncDirectory'; readonly path: string }
  /** What the one who records wants to know again. */
  | { readonly type: 'mark'; readonly mark: (facts: Facts) => void };

/** What must hold of the files that a crash leaves. */
export interface Facts {
  /** Blocks that must be found. */
  readonly acknowledged: Set<number>;
}

/** Do everything on `base`, and note it. */
export function recordOperations(base: LogFileSystem, operations: Operation[]): LogFileSystem {
  return {
    ...base,
    create(path) {
      const file = base.create(path);
      operations.push({ type: 'create', path, inode: file.inode });
      return file;
    },
    write(file, bytes, offset, length, position) {
      const written = base.write(file, bytes, offset, length, position);
      noteWrite(file, bytes.slice(offset, offset + written), position);
      return written;
    },
    truncate(file, length) {
      base.truncate(file, length);
      operations.push({ type: 'truncate', inode: file.inode, length });
    },
    sync(file) {
      let failed = true;
      try {
        base.sync(file);
        failed = false;
      } finally {
        operations.push({ type: 'sync', inode: file.inode, failed });
      }
    },
    rename(from, to) {
      base.rename(from, to);
      operations.push({ type: 'rename', from, to });
    },
    remove(path) {
      base.remove(path);
      operations.push({ type: 'remove', path });
    },
    syncDirectory(path) {
      base.syncDirectory(path);
      operations.push({ type: 'syncDirectory', path });
    },
  };

  function noteWrite({ inode }: LogFile, bytes: Uint8Array, position: number): void {
    operations.push({ type: 'write', inode, position, bytes });
  }
}

/** How much of an operation is on the disk: all of it, nothing, its first bytes, or as many zeros. */
type Extent = 'all' | 'none' | 'zeros' | number;

interface Step {
  readonly operation: Operation;
  certain: boolean;
  /** A failed sync was to make it certain. */
  doubtful: boolean;
}

export interface CrashState {
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The same files have the same key. */
  readonly key: string;
  /** Where in the operations, and what was missing. */
  readonly what: string;
  /**
   * Something is missing before something that is there: in the last group, damage that is not a torn end.
   */
  readonly hasHole: boolean;
}

const TORN_BYTES = [1, 16, 95, 96, 97];
const RANDOM_CHOICES = 4;

/** States that a crash after `count` operations may leave. */
export function* statesAfter(
  operations: readonly Operation[],
  count: number,
): Generator<CrashState, void, void> {
  const steps = certainty(operations.slice(0, count));
  const open = steps.filter((step) => !step.certain);
  const chosen = (what: string, extents: (step: Step, i: number) => Extent) =>
    stateOf(steps, new Map(open.map((step, i) => [step, extents(step, i)])), `after ${count}: ${what}`);
  yield chosen('everything is there', () => 'all');
  yield chosen('nothing uncertain is there', () => 'none');
  for (const one of open) {
    const { operation } = one;
    yield chosen(`${operation.type} is missing`, (step) => (step === one ? 'none' : 'all'));
    yield chosen(`of the uncertain only ${operation.type} is there`, (step) =>
      step === one ? 'all' : 'none',
    );
    if (operation.type !== 'write') continue;
    const { length } = operation.bytes;
    for (const bytes of [...TORN_BYTES, length >> 1, length - 1])
      if (bytes < length)
        yield chosen(`write is torn after ${bytes} bytes`, (step) => (step === one ? bytes : 'all'));
    yield chosen('write is zeros', (step) => (step === one ? 'zeros' : 'all'));
  }
  const random = randomBits(count);
  for (let i = 0; i < RANDOM_CHOICES; i++)
    yield chosen('some are missing', () => (random() ? 'all' : 'none'));
}

/** Which operations are certain to be on the disk, in their order. */
function certainty(operations: readonly Operation[]): Step[] {
  const steps: Step[] = [];
  for (const operation of operations) {
    if (operation.type === 'sync') {
      for (const step of steps)
        if (!step.certain && contentsOf(step.operation) === operation.inode) {
          if (operation.failed) step.doubtful = true;
          else step.certain = !step.doubtful;
        }
    } else if (operation.type === 'syncDirectory') {
      for (const step of steps) if (directoryOf(step.operation) === operation.path) step.certain = true;
    } else if (operation.type !== 'mark') steps.push({ operation, certain: false, doubtful: false });
  }
  return steps;
}

/** The file whose contents it changes. */
function contentsOf(operation: Operation): number | undefined {
  return operation.type === 'write' || operation.type === 'truncate' ? operation.inode : undefined;
}

/** The directory whose names it changes. Nothing is renamed from one to another. */
function directoryOf(operation: Operation): string | undefined {
  if (operation.type === 'rename') return dirname(operation.to);
  return operation.type === 'create' || operation.type === 'remove' ? dirname(operation.path) : undefined;
}

function stateOf(steps: readonly Step[], extents: ReadonlyMap<Step, Extent>, what: string): CrashState {
  const names = new Map<string, number>();
  const contents = new Map<number, Uint8Array>();
  for (const step of steps) {
    const extent = extents.get(step) ?? 'all';
    if (extent !== 'none') apply(step.operation, extent, names, contents);
  }
  const files = new Map([...names].map(([path, inode]) => [path, contents.get(inode) ?? new Uint8Array(0)]));
  const hash = createHash('sha256');
  for (const path of [...files.keys()].sort())
    hash.update(`${path} ${files.get(path)!.length} `).update(files.get(path)!);
  return { files, key: hash.digest('hex'), what, hasHole: hasHole(steps, extents) };
}

function hasHole(steps: readonly Step[], extents: ReadonlyMap<Step, Extent>): boolean {
  const holes = new Set<number>();
  return steps.some((step) => {
    const { operation } = step;
    if (operation.type !== 'write') return false;
    const extent = extents.get(step) ?? 'all';
    if (extent !== 'all') holes.add(operation.inode);
    return extent !== 'none' && extent !== 'zeros' && extents.has(step) && holes.has(operation.inode);
  });
}

function apply(
  operation: Operation,
  extent: Extent,
  names: Map<string, number>,
  contents: Map<number, Uint8Array>,
): void {
  switch (operation.type) {
    case 'create':
      names.set(operation.path, operation.inode);
      break;
    case 'remove':
      names.delete(operation.path);
      break;
    case 'rename': {
      const inode = names.get(operation.from);
      if (inode === undefined) break; // its creation is not there either
      names.delete(operation.from);
      names.set(operation.to, inode);
      break;
    }
    case 'write': {
      const { inode, position, bytes } = operation;
      const part = typeof extent === 'number' ? bytes.subarray(0, extent) : bytes;
      const file = resized(
        contents.get(inode),
        Math.max(contents.get(inode)?.length ?? 0, position + part.length),
      );
      if (extent === 'zeros') file.fill(0, position, position + part.length);
      else file.set(part, position);
      contents.set(inode, file);
      break;
    }
    case 'truncate':
      contents.set(operation.inode, resized(contents.get(operation.inode), operation.length));
      break;
  }
}

function resized(bytes: Uint8Array | undefined, length: number): Uint8Array {
  const file = new Uint8Array(length);
  if (bytes !== undefined) file.set(bytes.subarray(0, length));
  return file;
}

/** Put the files of a state into the place where they were recorded, and nothing else. */
export function materialise({ files }: CrashState, directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [path, bytes] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

/** xorshift32, the same for the same seed. */
function randomBits(seed: number): () => boolean {
  let state = seed * 2654435761 + 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state & 1) === 1;
  };
}
