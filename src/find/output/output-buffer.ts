/**
 * Lines to a stream in large writes: backpressure is respected, and a reader that went away (EPIPE) is no
 * error. Whoever puts in a text that came from a file or a user makes it printable before.
 */
import type { Writable } from 'node:stream';
import { writePrintable } from '../../base/terminal.js';

const BUFFER_BYTES = 256 * 1024;

export class OutputBuffer {
  /** Where to write next: `bytes[length]` on, then set `length`. Changes with every flush. */
  bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** The same bytes. */
  view = new DataView(this.bytes.buffer);
  length = 0;
  /** True once nobody reads any more: what is written is thrown away, and the caller may stop. */
  closed = false;
  readonly #stream: Writable;
  /** The buffer that the stream still holds, and when it lets go. */
  #spare = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #written: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    // Stays: the event of a failed write may come after its callback.
    stream.on('error', (error) => this.#fail(error));
  }

  /** True when there is no room for `bytesNeeded` more: flush first. */
  isFull(bytesNeeded: number): boolean {
    return this.length + bytesNeeded > BUFFER_BYTES;
  }

  /**
   * Hand over what was written; waits until the write before this one is through. Rejects when writing
   * failed.
   */
  async flush(): Promise<void> {
    await this.#written;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.length === 0 || this.closed) {
      this.length = 0;
      return;
    }
    const full = this.bytes;
    const chunk = full.subarray(0, this.length);
    this.bytes = this.#spare;
    this.view = new DataView(this.bytes.buffer);
    this.#spare = full;
    this.length = 0;
    this.#written = new Promise((resolve) => {
      writePrintable(this.#stream, chunk, (error) => {
        if (error) this.#fail(error);
        resolve();
      });
    });
  }

  /** Flush and wait for the last write; the stream stays open. */
  async end(): Promise<void> {
    await this.flush();
    await this.#written;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Append text of at most half the buffer. */
  async text(text: string): Promise<void> {
    if (this.isFull(text.length * 3)) await this.flush();
    this.length += this.bytes.write(text, this.length);
  }

  #fail(error: Error): void {
    this.closed = true;
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPIPE' && code !== 'ERR_STREAM_DESTROYED') this.#failure = error;
  }
}
