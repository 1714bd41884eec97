/**
 * A disk in memory that can do what real ones do to a recorder: fill up, run out of inodes, refuse, write
 * short, fail a sync, lose what was not synced when the power goes. Each process has a view of its own, which
 * is dead after a kill: its locks and descriptors are gone, and nothing that it still does has an effect.
 *
 * What a power loss leaves: contents that a sync made certain, names that a sync of their directory made
 * certain; of the rest anything, writes also torn or as zeros.
 */
import { dirname, join } from 'node:path';
import type { FileKind, LogFileSystem } from '../../src/base/disk/disk.js';
import type { ErrnoCode } from '../../src/base/errno.js';
import { SystemFailure } from '../../src/base/errors.js';
import { certify, type Inode } from './inode.js';
import type { Random } from './random.js';
import type { SimClock } from './sim-clock.js';

interface NameChange {
  readonly path: string;
  /** Undefined: removed. */
  readonly inode: number | undefined;
}

export type DiskFault = 'EIO' | 'EROFS' | 'ENOSPC' | 'short';

/** Fails a call, or undefined. */
export type FaultSource = (operation: keyof LogFileSystem, path: string) => DiskFault | undefined;

/** What the oracle hears of: before it is done. */
export interface DiskWatcher {
  removing(path: string, inode: Inode, process: string): void;
  created(path: string, inode: Inode): void;
  truncating(inode: Inode, bytes: number, process: string): void;
  renaming(path: string, inode: Inode, process: string): void;
}

const DIRECTORY_BYTES = 0;

export class SimDisk {
  readonly inodes = new Map<number, Inode>();
  readonly names = new Map<string, number>();
  #certainNames = new Map<string, number>();
  #pendingNames: NameChange[] = [];
  #nextInode = 1;
  #nextFd = 3;
  #usedBytes = 0;
  capacityBytes = Number.POSITIVE_INFINITY;
  inodesMax = Number.POSITIVE_INFINITY;
  fault: FaultSource = () => undefined;

  constructor(
    readonly clock: SimClock,
    readonly watcher: DiskWatcher,
  ) {
    this.#addName('/', this.#make('directory', ''));
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  inodeAt(path: string): Inode | undefined {
    const number = this.names.get(this.resolve(path, true));
    return number === undefined ? undefined : this.inodes.get(number);
  }

  /** Follow links in every component but the last; in that too when `last` is set. */
  resolve(path: string, last: boolean): string {
    let at = '/';
    const parts = path.split('/').filter((part) => part !== '');
    for (let i = 0, hops = 0; i < parts.length; i++) {
      at = join(at, parts[i]);
      const inode = this.inodes.get(this.names.get(at) ?? -1);
      if (inode?.kind !== 'link' || (i === parts.length - 1 && !last) || ++hops > 8) continue;
      at = this.resolve(inode.target, true);
    }
    return at;
  }

  // What the world does, as somebody with every right and a disk that does not fail.

  put(path: string, bytes: Uint8Array, maker = ''): Inode {
    const inode = this.#make('file', maker);
    this.#addName(path, inode);
    this.writeTo(inode, bytes, 0);
    this.settle();
    return inode;
  }

  link(path: string, target: string): void {
    this.#addName(path, this.#make('link', '', target));
    this.settle();
  }

  makeDirectory(path: string, maker: string): void {
    if (this.names.has(path)) return;
    this.makeDirectory(dirname(path), maker);
    this.#addName(path, this.#make('directory', maker));
  }

  unlink(path: string): void {
    this.#removeName(path);
  }

  /** As a rename that replaces. */
  moveOver(from: string, to: string): void {
    const number = this.names.get(from)!;
    this.#removeName(to);
    this.names.delete(from);
    this.names.set(to, number);
    this.settle();
  }

  moveDirectory(from: string, to: string): void {
    for (const [path, number] of [...this.names])
      if (path === from || path.startsWith(`${from}/`)) {
        this.names.delete(path);
        this.names.set(to + path.slice(from.length), number);
      }
    this.settle();
  }

  /** Everything so far is certain. */
  settle(): void {
    for (const inode of this.inodes.values()) certify(inode);
    this.#certainNames = new Map(this.names);
    this.#pendingNames = [];
  }

  /** Power comes back on a disk that holds what was certain and any part of the rest. */
  losePower(random: Random): void {
    const inOrder = random.chance(0.6);
    const names = this.#certainNames;
    const cut = random.below(this.#pendingNames.length + 1);
    this.#pendingNames.forEach((change, i) => {
      if (inOrder ? i >= cut : random.chance(0.5)) return;
      if (change.inode === undefined) names.delete(change.path);
      else names.set(change.path, change.inode);
    });
    this.names.clear();
    // What was removed and closed before the power went may be gone for good.
    for (const [path, number] of names) if (this.inodes.has(number)) this.names.set(path, number);
    const linked = new Set(this.names.values());
    for (const inode of [...this.inodes.values()]) {
      this.#tear(inode, random);
      inode.lockedBy = undefined;
      inode.links = linked.has(inode.number) ? 1 : 0;
      if (inode.links === 0) this.#forget(inode);
    }
    this.settle();
  }

  #tear(inode: Inode, random: Random): void {
    const pending = inode.pending;
    if (pending.length === 0) return;
    const cut = random.below(pending.length + 1);
    const inOrder = random.chance(0.5);
    this.#resize(inode, 0);
    this.writeTo(inode, inode.certain, 0);
    pending.forEach((change, i) => {
      if (inOrder ? i > cut : random.chance(0.3)) return;
      if (change.type === 'truncate') this.#resize(inode, change.bytes);
      else {
        const torn = (inOrder && i === cut) || random.chance(0.2);
        const bytes = torn ? change.bytes.subarray(0, random.below(change.bytes.length + 1)) : change.bytes;
        this.writeTo(inode, random.chance(0.1) ? new Uint8Array(bytes.length) : bytes, change.position);
      }
    });
  }

  // What a process does.

  create(path: string, maker: string): Inode {
    if (this.names.has(path)) throw simulatedFailure('create', path, 'EEXIST');
    if (!this.names.has(dirname(path))) throw simulatedFailure('create', path, 'ENOENT');
    if (this.inodes.size >= this.inodesMax) throw simulatedFailure('create', path, 'ENOSPC');
    const inode = this.#make('file', maker);
    this.#addName(path, inode);
    this.watcher.created(path, inode);
    return inode;
  }

  mayMakeDirectory(): boolean {
    return this.inodes.size < this.inodesMax;
  }

  writeTo(inode: Inode, bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > inode.bytes) this.#resize(inode, end);
    inode.data.set(bytes, position);
    inode.pending.push({ type: 'write', position, bytes: bytes.slice() });
    inode.modifiedMs = this.clock.wallUs() / 1000;
  }

  truncate(inode: Inode, bytes: number): void {
    this.#resize(inode, bytes);
    inode.pending.push({ type: 'truncate', bytes });
    inode.modifiedMs = this.clock.wallUs() / 1000;
  }

  rename(from: string, to: string): void {
    const number = this.names.get(from);
    if (number === undefined || !this.names.has(dirname(to))) throw simulatedFailure('rename', to, 'ENOENT');
    if (this.names.has(to)) throw simulatedFailure('rename', to, 'EEXIST');
    this.names.delete(from);
    this.names.set(to, number);
    this.#pendingNames.push({ path: from, inode: undefined }, { path: to, inode: number });
  }

  replace(from: string, to: string): void {
    const number = this.names.get(from);
    if (number === undefined) throw simulatedFailure('rename', to, 'ENOENT');
    if (this.names.has(to)) this.#removeName(to);
    this.names.delete(from);
    this.names.set(to, number);
    this.#pendingNames.push({ path: from, inode: undefined }, { path: to, inode: number });
  }

  remove(path: string): void {
    if (!this.names.has(path)) throw simulatedFailure('remove', path, 'ENOENT');
    this.#removeName(path);
  }

  /** A removed file's space is free when nobody has it open any more. */
  released(inode: Inode): void {
    if (inode.links === 0) this.#forget(inode);
  }

  syncDirectory(path: string): void {
    const isIn = (change: NameChange) => dirname(change.path) === path;
    for (const change of this.#pendingNames.filter(isIn))
      if (change.inode === undefined) this.#certainNames.delete(change.path);
      else this.#certainNames.set(change.path, change.inode);
    this.#pendingNames = this.#pendingNames.filter((change) => !isIn(change));
  }

  nextFd(): number {
    return this.#nextFd++;
  }

  #make(kind: FileKind, maker: string, target = ''): Inode {
    const inode: Inode = {
      number: this.#nextInode++,
      kind,
      target,
      maker,
      data: new Uint8Array(kind === 'file' ? 4096 : DIRECTORY_BYTES),
      bytes: 0,
      certain: new Uint8Array(0),
      pending: [],
      links: 0,
      modifiedMs: this.clock.wallUs() / 1000,
      lockedBy: undefined,
    };
    this.inodes.set(inode.number, inode);
    return inode;
  }

  #addName(path: string, inode: Inode): void {
    inode.links++;
    this.names.set(path, inode.number);
    this.#pendingNames.push({ path, inode: inode.number });
  }

  #removeName(path: string): void {
    const inode = this.inodes.get(this.names.get(path) ?? -1);
    this.names.delete(path);
    this.#pendingNames.push({ path, inode: undefined });
    if (inode !== undefined && --inode.links === 0 && inode.lockedBy === undefined) this.#forget(inode);
  }

  #forget(inode: Inode): void {
    if (!this.inodes.delete(inode.number)) return;
    this.#usedBytes -= inode.bytes;
  }

  #resize(inode: Inode, bytes: number): void {
    if (bytes > inode.data.length) {
      const larger = new Uint8Array(Math.max(bytes, inode.data.length * 2));
      larger.set(inode.data.subarray(0, inode.bytes));
      inode.data = larger;
    } else if (bytes < inode.bytes) inode.data.fill(0, bytes, inode.bytes);
    this.#usedBytes += bytes - inode.bytes;
    inode.bytes = bytes;
  }
}

export function simulatedFailure(operation: string, path: string, code: ErrnoCode): SystemFailure {
  return new SystemFailure(operation, code, `${operation} ${path}: ${code} (simulated)`, { path });
}
