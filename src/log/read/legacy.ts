/**
 * Reader of the ancestor's files (format 2, events and squeezed) as a LogSource, from any stream of bytes, in
 * bounded memory. Where entries are out of step (the ancestor's first bug: after a short write the next entry
 * began in the middle of one) it finds the next run of plausible entries and reports what it skipped. The
 * entry before such a place is doubted too: it may be the one that was cut, its end replaced by the beginning
 * of the next.
 */
import { EventBatch } from '../../event/batch.js';
import {
  connectionShape,
  decodeEntry,
  type EntryShape,
  eventShape,
  FAR_WITNESSES,
  isInStep,
  isMirrored,
  isTornEntry,
  resumes,
} from './legacy-entry.js';
import { LEGACY_HEADER_BYTES, parseLegacyHeader } from './legacy-header.js';
import type { Damage, LogHeader, LogItem, LogSource } from './source.js';

/** Room for a few chunks of any sensible stream; it grows when one is larger. */
const INITIAL_WINDOW_BYTES = 2 * 1024 * 1024;

/**
 * Open a file of format 2 whose bytes come from `bytes` (a file, a pipe, a decompressor). The source closes
 * them; when this rejects (DamageError: no header of format 2; errors of `bytes` pass through) that is left
 * to the caller.
 */
export async function openLegacy(file: string, bytes: AsyncIterable<Uint8Array>): Promise<LogSource> {
  const window = new Window(bytes);
  await window.fill(LEGACY_HEADER_BYTES);
  if (window.failure !== undefined) throw window.failure;
  const header = parseLegacyHeader(window.bytes.subarray(0, window.end), file);
  window.position = LEGACY_HEADER_BYTES;
  return new LegacySource(header, window);
}

/** The part of the stream in memory: from one entry before `position` to `end`. */
class Window {
  bytes = new Uint8Array(INITIAL_WINDOW_BYTES);
  view = new DataView(this.bytes.buffer);
  /** File offset of `bytes[0]`. */
  baseBytes = 0;
  position = 0;
  end = 0;
  atFileEnd = false;
  /** Why the stream ended early: to be thrown once what came before has been given. */
  failure: unknown;
  readonly #chunks: AsyncIterator<Uint8Array>;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Read until `wanted` bytes follow the position or the file ends; keeps `keepBytes` before it. */
  async fill(wanted: number, keepBytes = 0): Promise<void> {
    while (this.end - this.position < wanted && !this.atFileEnd) {
      try {
        const { done, value } = await this.#chunks.next();
        if (done) this.atFileEnd = true;
        else this.#append(value, keepBytes);
      } catch (error) {
        this.failure = error;
        this.atFileEnd = true;
      }
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  #append(chunk: Uint8Array, keepBytes: number): void {
    if (this.end + chunk.length > this.bytes.length) {
      const from = Math.max(0, this.position - keepBytes);
      const kept = this.bytes.subarray(from, this.end);
      if (kept.length + chunk.length > this.bytes.length) {
        this.bytes = new Uint8Array(2 * (kept.length + chunk.length));
        this.view = new DataView(this.bytes.buffer);
      }
      this.bytes.set(kept);
      this.baseBytes += from;
      this.position -= from;
      this.end -= from;
    }
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }
}

class LegacySource implements LogSource {
  /** Format 2 has no mark of its end. */
  readonly closed = true;
  readonly #shape: EntryShape;
  readonly #proto: number;
  readonly #batch = new EventBatch();
  #previousSeconds: number;

  constructor(
    readonly header: LogHeader,
    private readonly window: Window,
  ) {
    this.#shape = header.squeezed ? connectionShape : eventShape;
    this.#proto = (header.protocols as readonly number[])[0];
    this.#previousSeconds = Math.floor(header.startUs / 1e6);
  }

  /**
   * The file has no index and its order of time is not guaranteed: the selection is not used. Can be read
   * once.
   */
  async *items(): AsyncGenerator<LogItem, void, void> {
    const batch = this.#batch;
    const { window } = this;
    const { entryBytes } = this.#shape;
    for (;;) {
      await window.fill((FAR_WITNESSES + 1) * entryBytes, entryBytes);
      const stopped = this.#decode();
      if (stopped === 'more') continue;
      if (stopped === 'full') {
        yield { type: 'records', batch };
        batch.clear();
        continue;
      }
      const damage = stopped === 'lost' ? await this.#findStep() : undefined;
      if (batch.count > 0) yield { type: 'records', batch };
      batch.clear();
      if (damage !== undefined) yield { type: 'damage', damage };
      else break;
    }
    if (window.failure !== undefined) throw window.failure;
  }

  close(): Promise<void> {
    return this.window.close();
  }

  /**
   * Decode entries up to where the window ends, the batch is full, or no entry can stand. A full batch is
   * handed out only once the entry behind it is seen to be in step, so that the last row can still be taken
   * back.
   */
  #decode(): 'more' | 'full' | 'lost' | 'end' {
    const { window } = this;
    const batch = this.#batch;
    const shape = this.#shape;
    const { view, end } = window;
    const { entryBytes } = shape;
    const lastPosition = end - (window.atFileEnd ? 1 : FAR_WITNESSES) * entryBytes;
    let at = window.position;
    let previousSeconds = this.#previousSeconds;
    let stopped: 'more' | 'full' | 'lost' | 'end' = 'more';
    for (; at <= lastPosition; at += entryBytes) {
      if (!isInStep(view, at, end, shape, previousSeconds)) {
        stopped = 'lost';
        break;
      }
      if (batch.count === batch.capacity) {
        stopped = 'full';
        break;
      }
      decodeEntry(view, at, shape, this.#proto, batch);
      previousSeconds = view.getUint32(at + shape.timeAt);
    }
    window.position = at;
    this.#previousSeconds = previousSeconds;
    if (stopped !== 'more' || !window.atFileEnd) return stopped;
    return at === end ? 'end' : 'lost';
  }

  /**
   * Leave the position at the next run of entries, or at the end of the file, and say what was skipped. Takes
   * the last row of the batch back when it cannot be trusted.
   */
  async #findStep(): Promise<Damage> {
    const { window } = this;
    const batch = this.#batch;
    const shape = this.#shape;
    const { entryBytes } = shape;
    const lostAt = window.baseBytes + window.position;
    const hasPrevious = batch.count > 0;
    const cutBytes = window.atFileEnd ? window.end - window.position : entryBytes;
    const previousIsMirrored = hasPrevious && isMirrored(window.view, window.position - entryBytes, shape);
    const first = window.bytes.slice(window.position, window.position + entryBytes);
    if (hasPrevious) window.position -= entryBytes - 1;
    for (; ; window.position++) {
      await window.fill(FAR_WITNESSES * entryBytes);
      if (window.end - window.position < entryBytes) {
        window.position = window.end;
        break;
      }
      const isWholeEntriesAway = (window.baseBytes + window.position - lostAt) % entryBytes === 0;
      const { view, position, end } = window;
      if (resumes(view, position, end, shape, this.#previousSeconds, isWholeEntriesAway)) break;
    }
    const foundAt = window.baseBytes + window.position;
    if (cutBytes < entryBytes && foundAt >= lostAt)
      return {
        code: 'truncated',
        offsetBytes: lostAt,
        lengthBytes: cutBytes,
        what: `the last entry is cut off (${cutBytes} of ${entryBytes} bytes)`,
      };
    const doubtful = hasPrevious && (!previousIsMirrored || this.#isSpliced(lostAt, foundAt, first));
    if (doubtful) batch.count--;
    const offsetBytes = doubtful ? lostAt - entryBytes : lostAt;
    const lengthBytes = foundAt - offsetBytes;
    const what = lengthBytes % entryBytes === 0 ? 'no plausible entry' : 'entries out of step';
    return { code: 'implausible', offsetBytes, lengthBytes, what: `${what}, ${lengthBytes} bytes skipped` };
  }
  /**
   * Was the entry before `lostAt` put together from parts of two? Entries go on out of step behind it, so
   * bytes are missing or too many, and only when what was skipped begins like an entry was it that one which
   * was torn.
   */
  #isSpliced(lostAt: number, foundAt: number, first: Uint8Array): boolean {
    const { window } = this;
    const skippedBytes = foundAt - lostAt;
    if (skippedBytes % this.#shape.entryBytes === 0 || foundAt === window.baseBytes + window.end)
      return false;
    if (skippedBytes < 0 || skippedBytes > first.length) return true;
    return !isTornEntry(first.subarray(0, skippedBytes), this.#shape, this.#previousSeconds);
  }
}
