/**
 * `--save-messages`: the received messages as a capture that `--replay` and Wireshark read (pcap, nanoseconds, link type 253). Runs
 * on the parser thread beside the recording; a full disk or the limit ends it, never the recording.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { errnoCode, SystemFailure } from '../errors.js';
import { COOKED_HEADER_BYTES, writeCookedHeader } from './cooked.js';
import { LINKTYPE_NETLINK } from './pcap.js';

const BUFFER_BYTES = 256 * 1024;
const FILE_HEADER_BYTES = 24;
const PACKET_HEADER_BYTES = 16;
const SNAPLEN_BYTES = 65536;

export class MessageSaver {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #used = FILE_HEADER_BYTES;
  #writtenBytes = 0;
  #open = true;

  /** Creates the file, which must not exist. `ended` is told once why saving ended early. Throws SystemFailure. */
  constructor(
    readonly path: string,
    readonly limitBytes: number,
    readonly ended: (why: string) => void = () => {},
  ) {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;
    try {
      this.#fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o640);
    } catch (error) {
      const code = errnoCode(error);
      const what = code === 'EEXIST' ? 'exists already, name another file' : `cannot be created (${code})`;
      throw new SystemFailure('create', code, `--save-messages ${path}: ${what}`, { path, cause: error });
    }
    this.#view.setUint32(0, 0xa1b23c4d, true);
    this.#view.setUint16(4, 2, true);
    this.#view.setUint16(6, 4, true);
    this.#view.setUint32(16, SNAPLEN_BYTES, true);
    this.#view.setUint32(20, LINKTYPE_NETLINK, true);
  }

  save(bytes: Uint8Array, offset: number, capturedBytes: number, realBytes: number, timeUs: number): void {
    if (!this.#open) return;
    const length = PACKET_HEADER_BYTES + COOKED_HEADER_BYTES + capturedBytes;
    if (this.#writtenBytes + this.#used + length > this.limitBytes) {
      this.#end(`--save-limit ${this.limitBytes} reached, ${this.path} is complete up to there`);
      return;
    }
    if (this.#used + length > BUFFER_BYTES) this.#flush();
    const at = this.#used;
    const seconds = Math.floor(timeUs / 1e6);
    this.#view.setUint32(at, seconds, true);
    this.#view.setUint32(at + 4, Math.floor(timeUs - seconds * 1e6) * 1000, true);
    this.#view.setUint32(at + 8, COOKED_HEADER_BYTES + capturedBytes, true);
    this.#view.setUint32(at + 12, COOKED_HEADER_BYTES + realBytes, true);
    writeCookedHeader(this.#buffer, at + PACKET_HEADER_BYTES);
    this.#buffer.set(
      bytes.subarray(offset, offset + capturedBytes),
      at + PACKET_HEADER_BYTES + COOKED_HEADER_BYTES,
    );
    this.#used += length;
  }

  close(): void {
    if (!this.#open) return;
    this.#flush();
    this.#open = false;
    closeSync(this.#fd);
  }

  #flush(): void {
    try {
      for (let from = 0; from < this.#used; )
        from += writeSync(this.#fd, this.#buffer, from, this.#used - from);
      this.#writtenBytes += this.#used;
    } catch (error) {
      this.#used = 0;
      this.#end(`${this.path}: saving messages ended (${errnoCode(error)})`);
    }
    this.#used = 0;
  }

  #end(why: string): void {
    this.close();
    this.#open = false;
    this.ended(why);
  }
}
