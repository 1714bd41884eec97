/**
 * `--save-messages`: the received messages as a capture that `--replay` and Wireshark read (pcap,
 * nanoseconds, link type 253). A full disk or the limit ends it, never the recording.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { realReadDisk } from '../../base/disk/read-disk.js';
import { standsAt } from '../../base/disk/same-file.js';
import { errnoCode, isSystemError, SystemFailure } from '../../base/errors.js';
import { COOKED_HEADER_BYTES, writeCookedHeader } from './cooked.js';
import { LINKTYPE_NETLINK } from './packet.js';
import {
  PCAP_HEADER_BYTES,
  PCAP_PACKET_HEADER_BYTES,
  writePcapHeader,
  writePcapPacketHeader,
} from './pcap.js';

const BUFFER_BYTES = 256 * 1024;
const SNAPLEN_BYTES = 65536;

/** What a MessageSaver is told. Plain data: it crosses to the parser's thread. */
export interface SaveTask {
  /** Of a file that belongs to whoever started the parser. */
  readonly fd: number;
  readonly path: string;
  readonly limitBytes: number;
}

/**
 * The file, which the main thread opens before anything is recorded, and with the rights it was started with.
 */
export class SaveFile {
  private constructor(
    readonly path: string,
    readonly fd: number,
  ) {}

  /** It must not exist. Throws SystemFailure. */
  static create(path: string): SaveFile {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;
    try {
      return new SaveFile(path, openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o640));
    } catch (error) {
      const code = errnoCode(error);
      if (code === undefined) throw error;
      const what = code === 'EEXIST' ? 'already exists; name another file' : `cannot be created (${code})`;
      throw new SystemFailure('create', code, `--save-messages ${path}: ${what}`, { path, cause: error });
    }
  }

  /**
   * After its MessageSaver. One that nothing was written to goes: it would only be in the way of the next
   * attempt.
   */
  close(): void {
    const { path, fd } = this;
    try {
      const { size, ino, dev } = fstatSync(fd);
      if (size === 0 && standsAt(realReadDisk, path, { inode: ino, device: dev })) unlinkSync(path);
    } catch {
      // Its directory may belong to somebody else than the user we have become.
    }
    closeSync(fd);
  }
}

/** Runs on the parser's thread. */
export class MessageSaver {
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #used = PCAP_HEADER_BYTES;
  #writtenBytes = 0;
  #open = true;

  /** `ended` is told, once, why saving ended early. */
  constructor(
    readonly task: SaveTask,
    readonly ended: (why: string) => void,
  ) {
    writePcapHeader(this.#view, SNAPLEN_BYTES, LINKTYPE_NETLINK);
  }

  save(bytes: Uint8Array, offset: number, capturedBytes: number, realBytes: number, timeUs: number): void {
    if (!this.#open) return;
    const { path, limitBytes } = this.task;
    const packetBytes = COOKED_HEADER_BYTES + capturedBytes;
    const length = PCAP_PACKET_HEADER_BYTES + packetBytes;
    if (this.#writtenBytes + this.#used + length > limitBytes) {
      if (this.#flush()) this.#end(`${path}: --save-limit ${limitBytes} reached; no more messages are saved`);
      return;
    }
    if (this.#used + length > BUFFER_BYTES && !this.#flush()) return;
    const at = this.#used;
    const message = at + length - capturedBytes;
    writePcapPacketHeader(this.#view, at, timeUs, packetBytes, COOKED_HEADER_BYTES + realBytes);
    writeCookedHeader(this.#buffer, message - COOKED_HEADER_BYTES);
    this.#buffer.set(bytes.subarray(offset, offset + capturedBytes), message);
    this.#used += length;
  }

  /** Write what is left. A system that refuses ends the saving, not the recording. */
  close(): void {
    if (this.#open) this.#flush();
    this.#open = false;
  }

  /** False when it failed and saving ended; the file then ends with a whole packet. */
  #flush(): boolean {
    const { fd, path } = this.task;
    try {
      for (let from = 0; from < this.#used; ) from += writeSync(fd, this.#buffer, from, this.#used - from);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#cutBack();
      this.#end(`${path}: no more messages are saved (${errnoCode(error)}); recording continues`);
      return false;
    }
    this.#writtenBytes += this.#used;
    this.#used = 0;
    return true;
  }

  #cutBack(): void {
    try {
      ftruncateSync(this.task.fd, this.#writtenBytes);
    } catch {
      // A torn packet at the end is what readers of captures expect.
    }
  }

  #end(why: string): void {
    this.#open = false;
    this.ended(why);
  }
}
