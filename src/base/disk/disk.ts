/**
 * The disk as a recorder and its readers see it: what recovery, naming, retention and the catalogue read or
 * change goes through one of these, so that a test can put another disk, clock and directory in its place.
 * Calls are synchronous; every error is a SystemFailure with the errno's name and the path.
 */

export interface LogFile {
  readonly fd: number;
  readonly path: string;
  /** Tell it from another file that later has its name or its descriptor's number. */
  readonly inode: number;
  readonly device: number;
}

export type FileKind = 'file' | 'directory' | 'link' | 'other';

export interface FileFacts {
  readonly kind: FileKind;
  readonly inode: number;
  readonly device: number;
  readonly bytes: number;
  /** Names that it has; 0 when it was removed while open. */
  readonly links: number;
  /** Last change of its contents, milliseconds since the epoch. */
  readonly modifiedMs: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

/** What only looks. */
export interface ReadDisk {
  /** An existing file, which may be reached through links. A pipe is not waited for. */
  openToRead(path: string): LogFile;
  /** Up to `length` bytes at `position` into `into` at `offset`; answers how many, 0 at the end. */
  read(file: LogFile, into: Uint8Array, offset: number, length: number, position: number): number;
  /** Of an open file. */
  factsOf(file: LogFile): FileFacts;
  close(file: LogFile): void;
  /** Of what has this name, a link itself; undefined when nothing has it. */
  stat(path: string): FileFacts | undefined;
  /** The path with every link in it followed; undefined when it leads nowhere. */
  realPath(path: string): string | undefined;
  /** What a directory holds; nothing when it cannot be read. */
  entries(directory: string): readonly DirectoryEntry[];
}

/** What a writer needs beside that. */
export interface LogFileSystem extends ReadDisk {
  /** A new file, writable; EEXIST when the name is taken, also by a link. */
  create(path: string): LogFile;
  /** An existing file, readable and writable; links are not followed. */
  open(path: string): LogFile;
  /** False when somebody else has it locked. Held until the file is closed. */
  lock(file: LogFile): boolean;
  /**
   * Write at `position`; answers how many bytes, which may be fewer than asked for. EBADF when the descriptor
   * is another file's by now.
   */
  write(file: LogFile, bytes: Uint8Array, offset: number, length: number, position: number): number;
  /** Make the file's contents durable. After a failure the descriptor must not be trusted again. */
  sync(file: LogFile): void;
  truncate(file: LogFile, lengthBytes: number): void;
  /** False when the file has no name any more: whatever is written to it is lost. */
  isLinked(file: LogFile): boolean;
  /** Close a removed file on another thread, and free its space slowly. Never rejects. */
  closeLater(file: LogFile): Promise<void>;
  /** Never replaces: EEXIST when `to` exists. */
  rename(from: string, to: string): void;
  /** A rename that takes the place of what stands at `to`: for files that only this program writes. */
  replace(from: string, to: string): void;
  remove(path: string): void;
  exists(path: string): boolean;
  /** Free space that this user may fill, in the file system that holds `path`. */
  freeBytes(path: string): number;
  /** Files that it can still hold; infinite where it keeps no table of them. */
  freeInodes(path: string): number;
  /** With its parents, durable. */
  makeDirectory(path: string): void;
  /** Make names in a directory durable. */
  syncDirectory(path: string): void;
}
