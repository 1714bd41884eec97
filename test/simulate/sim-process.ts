/**
 * The simulated disk as one process sees it: with its own descriptors and locks, which a kill ends, and with
 * the faults that the world has its calls meet.
 */
import { basename, dirname } from 'node:path';
import type { FileFacts, FileKind, LogFile, LogFileSystem } from '../../src/base/disk/disk.js';
import { certify, DEVICE, factsOf, type Inode } from './inode.js';
import { type DiskFault, type SimDisk, simulatedFailure } from './sim-disk.js';

/** Ends a process at the call that it is thrown from. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

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
    if (inode.kind !== 'file') throw simulatedFailure('open', path, 'ELOOP');
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
      if (room <= 0) throw simulatedFailure('write', file.path, 'ENOSPC');
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
    if (inode === undefined) throw simulatedFailure('close', file.path, 'EBADF');
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

  freeInodes(path: string): number {
    this.#enter('freeInodes', path);
    return Math.max(0, this.disk.inodesMax - this.disk.inodes.size);
  }

  makeDirectory(path: string): void {
    this.#enter('makeDirectory', path);
    const resolved = this.disk.resolve(path, true);
    if (this.disk.names.has(resolved)) return;
    if (!this.disk.mayMakeDirectory()) throw simulatedFailure('make directory', path, 'ENOSPC');
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
    if (fault !== undefined && fault !== 'short') throw simulatedFailure(operation, path, fault);
    return fault;
  }

  #at(operation: string, path: string, follow: boolean): Inode {
    const inode = this.disk.inodes.get(this.disk.names.get(this.disk.resolve(path, follow)) ?? -1);
    if (inode === undefined) throw simulatedFailure(operation, path, 'ENOENT');
    return inode;
  }

  #own(file: LogFile): Inode {
    const inode = this.#open.get(file.fd);
    if (inode === undefined || inode.number !== file.inode) throw simulatedFailure('use', file.path, 'EBADF');
    return inode;
  }

  #opened(path: string, inode: Inode): LogFile {
    const file = { fd: this.disk.nextFd(), path, inode: inode.number, device: DEVICE };
    this.#open.set(file.fd, inode);
    return file;
  }
}
