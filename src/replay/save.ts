/**
 * `--save-messages`: the received messages as a capture that `--replay` and Wireshark read (pcap, nanoseconds, link type 253). Runs
 * on the parser thread beside the recording; a full disk or the limit ends it, never the recording.
 */
import { closeSync, constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { errnoCode, SystemFailure } from '../errors.js';
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

export class MessageSaver {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #used = PCAP_HEADER_BYTES;
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
    writePcapHeader(this.#view, SNAPLEN_BYTES, LINKTYPE_NETLINK);
  }

  save(bytes: Uint8Array, offset: number, capturedBytes: number, realBytes: number, timeUs: number): void {
    if (!this.#open) return;
    const packetBytes = COOKED_HEADER_BYTES + capturedBytes;
    const length = PCAP_PACKET_HEADER_BYTES + packetBytes;
    if (this.#writtenBytes + this.#used + length > this.limitBytes) {
      this.close();
      this.ended(
        `--save-limit ${this.limitBytes} bytes reached: ${this.path} holds the messages up to there`,
      );
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

  /** Never throws: the recording goes on without. */
  close(): void {
    if (!this.#open || !this.#flush()) return;
    this.#open = false;
    closeSync(this.#fd);
  }

  /** False when it failed and saving ended; the file then ends with the last whole packet. */
  #flush(): boolean {
    try {
      for (let from = 0; from < this.#used; )
        from += writeSync(this.#fd, this.#buffer, from, this.#used - from);
    } catch (error) {
      this.#abandon(errnoCode(error));
      return false;
    }
    this.#writtenBytes += this.#used;
    this.#used = 0;
    return true;
  }

  #abandon(code: string): void {
    this.#open = false;
    try {
      ftruncateSync(this.#fd, this.#writtenBytes);
    } catch {
      // A torn packet at the end is what readers of captures expect.
    }
    closeSync(this.#fd);
    this.ended(`${this.path}: saving messages ended (${code}), the recording goes on`);
  }
}
