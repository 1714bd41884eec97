/**
 * A disk in memory that can do what real ones do to a recorder: fill up, run out of inodes, refuse, write
 * short, fail a sync, lose what was not synced when the power goes. Each process has a view of its own, which
 * is dead after a kill: its locks and descriptors are gone, and nothing that it still does has an effect.
 *
 * What a power loss leaves: contents that a sync made certain, names that a sync of their directory made
 * certain; of the rest anything, writes also torn or as zeros.
 */
import { basename, dirname, join } from 'node:path';
import type { FileFacts, FileKind, LogFile, LogFileSystem } from '../../src/base/disk/disk.js';
import type { ErrnoCode } from '../../src/base/errno.js';
import { SystemFailure } from '../../src/base/errors.js';
import type { Random } from './random.js';
import type { SimClock } from './sim-clock.js';

/** Ends a process at the call that it is thrown from. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

type Pending =
  | { readonly type: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly bytes: number };

export interface Inode {
  readonly number: number;
  readonly kind: FileKind;
  /** Where a link leads. */
  readonly target: string;
  /** Which process made it, "" for the world. */
  readonly maker: string;
  data: Uint8Array;
  bytes: number;
  /** Contents as a sync made them certain, and what came since. */
  certain: Uint8Array;
  pending: Pending[];
  links: number;
  modifiedMs: number;
  lockedBy: string | undefined;
}

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

const DEVICE = 1;
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

  /** The view of a process, and its end. */
  process(name: string): SimProcess {
    return new SimProcess(this, name);
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
    if (this.names.has(path)) throw failure('create', path, 'EEXIST');
    if (!this.names.has(dirname(path))) throw failure('create', path, 'ENOENT');
    if (this.inodes.size >= this.inodesMax) throw failure('create', path, 'ENOSPC');
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
    if (number === undefined || !this.names.has(dirname(to))) throw failure('rename', to, 'ENOENT');
    if (this.names.has(to)) throw failure('rename', to, 'EEXIST');
    this.names.delete(from);
    this.names.set(to, number);
    this.#pendingNames.push({ path: from, inode: undefined }, { path: to, inode: number });
  }

  replace(from: string, to: string): void {
    const number = this.names.get(from);
    if (number === undefined) throw failure('rename', to, 'ENOENT');
    if (this.names.has(to)) this.#removeName(to);
    this.names.delete(from);
    this.names.set(to, number);
    this.#pendingNames.push({ path: from, inode: undefined }, { path: to, inode: number });
  }

  remove(path: string): void {
    if (!this.names.has(path)) throw failure('remove', path, 'ENOENT');
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

/** The disk as one process sees it. */
export class SimProcess implements LogFileSystem {
  readonly #open = new Map<number, Inode>();
  /** Counts down at each call; the process is killed when it is 0. */
  killAfterCalls = Number.POSITIVE_INFINITY;
  #dead = false;

  constructor(
    readonly disk: SimDisk,
    readonly name: string,
  ) {}

  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const inode of this.#open.values()) {
      if (inode.lockedBy === this.name) inode.lockedBy = undefined;
      this.disk.released(inode);
    }
    this.#open.clear();
  }

  create(path: string): LogFile {
    this.#enter('create', path);
    return this.#opened(path, this.disk.create(this.disk.resolve(path, false), this.name));
  }

  open(path: string): LogFile {
    this.#enter('open', path);
    const inode = this.#at('open', path, false);
    if (inode.kind !== 'file') throw failure('open', path, 'ELOOP');
    return this.#opened(path, inode);
  }

  openToRead(path: string): LogFile {
    this.#enter('openToRead', path);
    return this.#opened(path, this.#at('open', path, true));
  }

  read(file: LogFile, into: Uint8Array, offset: number, length: number, position: number): number {
    this.#enter('read', file.path);
    const { data, bytes } = this.#own(file);
    const count = Math.max(0, Math.min(length, bytes - position));
    into.set(data.subarray(position, position + count), offset);
    return count;
  }

  factsOf(file: LogFile): FileFacts {
    this.#enter('factsOf', file.path);
    return factsOf(this.#own(file));
  }

  stat(path: string): FileFacts | undefined {
    this.#enter('stat', path);
    const inode = this.disk.inodes.get(this.disk.names.get(this.disk.resolve(path, false)) ?? -1);
    return inode && factsOf(inode);
  }

  realPath(path: string): string | undefined {
    this.#enter('realPath', path);
    const resolved = this.disk.resolve(path, true);
    return this.disk.names.has(resolved) ? resolved : undefined;
  }

  entries(directory: string) {
    this.#alive();
    const resolved = this.disk.resolve(directory, true);
    const found: { name: string; kind: FileKind }[] = [];
    for (const [path, number] of this.disk.names)
      if (path !== '/' && dirname(path) === resolved)
        found.push({ name: basename(path), kind: this.disk.inodes.get(number)!.kind });
    return found;
  }

  lock(file: LogFile): boolean {
    this.#enter('lock', file.path);
    const inode = this.#own(file);
    if (inode.lockedBy !== undefined && inode.lockedBy !== this.name) return false;
    inode.lockedBy = this.name;
    return true;
  }

  write(file: LogFile, bytes: Uint8Array, offset: number, length: number, position: number): number {
    const fault = this.#enter('write', file.path);
    const inode = this.#own(file);
    const room = this.disk.capacityBytes - this.disk.usedBytes + Math.max(0, inode.bytes - position);
    let count = fault === 'short' ? Math.max(1, length >> 1) : length;
    if (room < count) {
      if (room <= 0) throw failure('write', file.path, 'ENOSPC');
      count = room;
    }
    this.disk.writeTo(inode, bytes.subarray(offset, offset + count), position);
    return count;
  }

  sync(file: LogFile): void {
    this.#enter('sync', file.path);
    certify(this.#own(file));
  }

  truncate(file: LogFile, lengthBytes: number): void {
    this.#enter('truncate', file.path);
    const inode = this.#own(file);
    this.disk.watcher.truncating(inode, lengthBytes, this.name);
    this.disk.truncate(inode, lengthBytes);
  }

  isLinked(file: LogFile): boolean {
    this.#enter('isLinked', file.path);
    return this.#own(file).links > 0;
  }

  close(file: LogFile): void {
    this.#alive();
    const inode = this.#open.get(file.fd);
    if (inode === undefined) throw failure('close', file.path, 'EBADF');
    this.#open.delete(file.fd);
    if (![...this.#open.values()].includes(inode) && inode.lockedBy === this.name) inode.lockedBy = undefined;
    this.disk.released(inode);
  }

  closeLater(file: LogFile): Promise<void> {
    this.close(file);
    return Promise.resolve();
  }

  rename(from: string, to: string): void {
    this.#enter('rename', to);
    const path = this.disk.resolve(from, false);
    const inode = this.disk.inodes.get(this.disk.names.get(path) ?? -1);
    if (inode !== undefined) this.disk.watcher.renaming(path, inode, this.name);
    this.disk.rename(path, this.disk.resolve(to, false));
  }

  replace(from: string, to: string): void {
    this.#enter('replace', to);
    this.disk.replace(this.disk.resolve(from, false), this.disk.resolve(to, false));
  }

  remove(path: string): void {
    this.#enter('remove', path);
    const resolved = this.disk.resolve(path, false);
    const inode = this.disk.inodes.get(this.disk.names.get(resolved) ?? -1);
    if (inode !== undefined) this.disk.watcher.removing(resolved, inode, this.name);
    this.disk.remove(resolved);
  }

  exists(path: string): boolean {
    this.#enter('exists', path);
    return this.disk.names.has(this.disk.resolve(path, false));
  }

  freeBytes(path: string): number {
    this.#enter('freeBytes', path);
    return Math.max(0, this.disk.capacityBytes - this.disk.usedBytes);
  }

  makeDirectory(path: string): void {
    this.#enter('makeDirectory', path);
    const resolved = this.disk.resolve(path, true);
    if (this.disk.names.has(resolved)) return;
    if (!this.disk.mayMakeDirectory()) throw failure('make directory', path, 'ENOSPC');
    this.disk.makeDirectory(resolved, this.name);
    for (let at = resolved; at !== '/'; at = dirname(at)) this.disk.syncDirectory(dirname(at));
  }

  syncDirectory(path: string): void {
    this.#enter('syncDirectory', path);
    this.disk.syncDirectory(this.disk.resolve(path, true));
  }

  /** A process that is dead does nothing any more. */
  #alive(): void {
    if (this.#dead) throw new Killed(this.name);
  }

  #enter(operation: keyof LogFileSystem, path: string): DiskFault | undefined {
    this.#alive();
    if (--this.killAfterCalls <= 0) {
      this.kill();
      throw new Killed(this.name);
    }
    const fault = this.disk.fault(operation, path);
    if (fault !== undefined && fault !== 'short') throw failure(operation, path, fault);
    return fault;
  }

  #at(operation: string, path: string, follow: boolean): Inode {
    const inode = this.disk.inodes.get(this.disk.names.get(this.disk.resolve(path, follow)) ?? -1);
    if (inode === undefined) throw failure(operation, path, 'ENOENT');
    return inode;
  }

  #own(file: LogFile): Inode {
    const inode = this.#open.get(file.fd);
    if (inode === undefined || inode.number !== file.inode) throw failure('use', file.path, 'EBADF');
    return inode;
  }

  #opened(path: string, inode: Inode): LogFile {
    const file = { fd: this.disk.nextFd(), path, inode: inode.number, device: DEVICE };
    this.#open.set(file.fd, inode);
    return file;
  }
}

function factsOf(inode: Inode): FileFacts {
  const { kind, number, bytes, links, modifiedMs } = inode;
  return { kind, inode: number, device: DEVICE, bytes, links, modifiedMs };
}

function certify(inode: Inode): void {
  if (inode.pending.length === 0) return;
  inode.certain = inode.data.slice(0, inode.bytes);
  inode.pending = [];
}

function failure(operation: string, path: string, code: ErrnoCode): SystemFailure {
  return new SystemFailure(operation, code, `${operation} ${path}: ${code} (simulated)`, { path });
}
