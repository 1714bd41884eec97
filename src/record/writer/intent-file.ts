/**
 * Where retention says what it is about to remove while the disk is too full to say it in the log: a small
 * file whose room was taken beforehand, rewritten in place. What stands in it is told in the log as soon as
 * that can be written, by the next start at the latest. It also keeps that the wall clock is in doubt, which
 * a restart must not end. Writer thread.
 */
import { dirname } from 'node:path';
import type { LogFile, LogFileSystem } from '../../base/disk/disk.js';
import { writeAll } from '../../base/disk/file-system.js';
import { errnoCode, SystemFailure } from '../../base/errors.js';
import type { RemovedFile, RetentionNote } from '../../log/format/retention-note.js';

const SIZE_BYTES = 4096;

export class IntentFile {
  #file: LogFile | undefined;
  /** What stands in it. */
  #removing: readonly RemovedFile[] = [];
  #atUs = 0;
  #isClockInDoubt = false;

  constructor(
    readonly fs: LogFileSystem,
    readonly path: string,
  ) {}

  /**
   * Have it, with its room. Answers what an earlier run announced there and did not tell in the log. Throws
   * SystemFailure, EAGAIN while another recorder has it.
   */
  prepare(): RetentionNote | undefined {
    if (this.#file !== undefined) return undefined;
    const { fs, path } = this;
    fs.makeDirectory(dirname(path));
    const isNew = !fs.exists(path);
    const file = isNew ? fs.create(path) : fs.open(path);
    try {
      if (!fs.lock(file))
        throw new SystemFailure('lock', 'EAGAIN', `${path}: is locked by another recorder`, { path });
      if (isNew) fs.close(file);
      const writable = isNew ? this.#reopened() : file;
      const text = isNew ? '' : this.#read(writable);
      this.#file = writable;
      const { note, clockInDoubt } = contentsIn(text);
      this.#removing = note?.retention.removing ?? [];
      this.#atUs = note?.retention.atUs ?? 0;
      this.#isClockInDoubt = clockInDoubt;
      if (isNew) this.#write(this.#removing);
      fs.syncDirectory(dirname(path));
      return note;
    } catch (error) {
      this.#letGo(this.#file ?? file);
      if (isNew) this.#removeAgain();
      throw error;
    }
  }

  /** One more that is about to be removed, durably; after `prepare`. Throws SystemFailure. */
  announce(atUs: number, removed: RemovedFile): void {
    const removing = [...this.#removing, removed];
    this.#atUs = atUs;
    this.#write(removing);
    this.#removing = removing;
  }

  /** The log tells it now. */
  clear(): void {
    if (this.#removing.length === 0 || this.#file === undefined) return;
    try {
      this.#write([]);
      this.#removing = [];
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error; // the next start tells it once more
    }
  }

  /** An earlier run, or this one, left its clock in doubt. */
  get isClockInDoubt(): boolean {
    return this.#isClockInDoubt;
  }

  /** For the next start: the times in the log say nothing then. */
  set isClockInDoubt(is: boolean) {
    if (is === this.#isClockInDoubt || this.#file === undefined) return;
    this.#isClockInDoubt = is;
    try {
      this.#write(this.#removing);
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error; // the log may still tell the next start
    }
  }

  close(): void {
    if (this.#file !== undefined) this.#letGo(this.#file);
  }

  /** One that can be read as well. */
  #reopened(): LogFile {
    const file = this.fs.open(this.path);
    if (!this.fs.lock(file)) {
      this.fs.close(file);
      throw new SystemFailure('lock', 'EAGAIN', `${this.path}: is locked by another recorder`, {
        path: this.path,
      });
    }
    return file;
  }

  #read(file: LogFile): string {
    const bytes = new Uint8Array(SIZE_BYTES);
    const length = this.fs.read(file, bytes, 0, bytes.length, 0);
    return Buffer.from(bytes.subarray(0, length)).toString('utf8');
  }

  #write(removing: readonly RemovedFile[]): void {
    const contents: Contents = {
      clockInDoubt: this.#isClockInDoubt,
      ...(removing.length > 0 && { retention: { atUs: this.#atUs, removing } }),
    };
    const text = JSON.stringify(contents);
    const bytes = Buffer.from(`${text.padEnd(SIZE_BYTES - 1)}\n`);
    writeAll(this.fs, this.#file!, bytes, 0, bytes.length, 0);
    this.fs.sync(this.#file!);
  }

  #letGo(file: LogFile): void {
    this.#file = undefined;
    try {
      this.fs.close(file);
    } catch (error) {
      if (errnoCode(error) === undefined) throw error; // it was closed, or is somebody else's by now
    }
  }

  #removeAgain(): void {
    try {
      this.fs.remove(this.path);
    } catch (error) {
      if (errnoCode(error) === undefined) throw error; // the next start uses it
    }
  }
}

/** What was announced, if anything, is as a checkpoint tells it. */
type Contents = { readonly clockInDoubt: boolean } & Partial<RetentionNote>;

/** What is not whole was not durable yet: then nothing was removed either. */
function contentsIn(text: string): { note: RetentionNote | undefined; clockInDoubt: boolean } {
  try {
    const { retention, clockInDoubt } = JSON.parse(text) as Partial<Contents>;
    const removing = (retention?.removing ?? []).filter(({ chain }) => typeof chain === 'string');
    const note = removing.length > 0 && { retention: { atUs: Number(retention?.atUs), removing } };
    return { note: note || undefined, clockInDoubt: clockInDoubt === true };
  } catch {
    return { note: undefined, clockInDoubt: false };
  }
}
