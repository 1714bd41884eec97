/** `-L`: lists the rows of a log, or its connections, as the ancestor did or as JSON. */
import type { Writable } from 'node:stream';
import { DamageError } from '../../base/errors.js';
import { printLine } from '../../base/terminal.js';
import { TimeWriter } from '../../base/time/time-text.js';
import { localZone, type Zone } from '../../base/time/zone.js';
import { type EventBatch, RecordFlag, RecordKind } from '../../event/batch.js';
import type { GapRecord } from '../../event/gap.js';
import type { Pairer } from '../../event/pair.js';
import { openLog } from '../../log/read/open.js';
import type { LogHeader, LogItem, LogSource } from '../../log/read/source.js';
import { GapSum, gapLine } from '../output/gap-text.js';
import type { JsonWriter } from '../output/json.js';
import { LineWriter, MAX_LINE_BYTES } from '../output/lines.js';
import { OutputBuffer } from '../output/output-buffer.js';
import { type PortRange, RowFilter } from './filter.js';

/**
 * List one log. What is damaged is skipped and said on stderr, a line each; everything intact is listed.
 * Resolves early when nobody reads stdout any more. Rejects with UsageError, SystemFailure or DamageError
 * (nothing of the file can be read).
 */
export async function list(options: ListOptions, out: QueryOutput): Promise<ListResult> {
  const filter = new RowFilter(options.networks, options.ports);
  const zone = localZone();
  const say = (line: string) => printLine(out.stderr, line);
  // A closed stderr costs its lines, not the listing.
  out.stderr.on('error', () => {});
  const source = await openLog(options.file, say);
  try {
    if (!options.noHeader) for (const line of source.header.lines) say(line);
    const parts = await loadParts(options, source.header);
    const listing = new Listing(
      options,
      source.header,
      filter,
      zone,
      parts,
      new OutputBuffer(out.stdout),
      say,
    );
    await listing.run(source);
    return listing.result();
  } finally {
    await source.close();
  }
}

/** What only some listings need: a short one is over sooner without. */
interface Parts {
  readonly json: JsonWriter | undefined;
  readonly pairer: Pairer | undefined;
}

async function loadParts({ json, squeeze }: ListOptions, header: LogHeader): Promise<Parts> {
  return {
    json: json ? new (await import('../output/json.js')).JsonWriter(header.file) : undefined,
    pairer:
      squeeze && !header.squeezed
        ? new (await import('../../event/pair.js')).Pairer(header.startUs)
        : undefined,
  };
}

class Listing {
  readonly #lines: LineWriter;
  readonly #json: JsonWriter | undefined;
  readonly #times: TimeWriter;
  readonly #pairer: Pairer | undefined;
  readonly #gaps = new GapSum();
  #listed = 0;
  #damaged = 0;

  constructor(
    readonly options: ListOptions,
    readonly header: LogHeader,
    readonly filter: RowFilter,
    zone: Zone,
    { json, pairer }: Parts,
    readonly output: OutputBuffer,
    readonly say: (line: string) => void,
  ) {
    this.#lines = new LineWriter(zone, header.protocols === 'all' || header.protocols.length !== 1);
    this.#json = json;
    this.#times = new TimeWriter(zone);
    this.#pairer = pairer;
  }

  async run(source: LogSource): Promise<void> {
    let failure: unknown;
    try {
      for await (const item of source.items({ openFirst: this.#pairer !== undefined })) {
        await this.#take(item);
        if (this.output.closed) return;
      }
    } catch (error) {
      // What was read before it is intact and must not be lost with it.
      failure = error;
    }
    if (this.#pairer !== undefined) await this.#printAll(this.#pairer.finish());
    await this.output.end();
    const summary = this.#gaps.text();
    if (summary !== '') this.say(`${this.header.file}: ${summary}`);
    if (failure === undefined) return;
    if (!(failure instanceof DamageError)) throw failure;
    this.#damaged++;
    this.say(failure.message);
  }

  result(): ListResult {
    return {
      listed: this.#listed,
      gaps: this.#gaps.count,
      damaged: this.#damaged,
      exitCode: this.#damaged > 0 ? 1 : 0,
    };
  }

  async #take(item: LogItem): Promise<void> {
    if (item.type === 'records') {
      const count = this.filter.select(item.batch);
      if (this.#pairer === undefined) await this.#print(item.batch, this.filter.rows, count);
      else await this.#printAll(this.#pairer.add(item.batch, this.filter.rows, count));
    } else if (item.type === 'gap') await this.#takeGap(item.gap);
    else if (item.type === 'damage') {
      const { offsetBytes, lengthBytes, what } = item.damage;
      this.#damaged++;
      // Damage may hide ends as a gap does.
      this.#pairer?.noteGap();
      this.say(`${this.header.file}: offset ${offsetBytes}, ${lengthBytes} bytes: ${what}`);
    }
  }

  async #takeGap(gap: GapRecord): Promise<void> {
    this.#gaps.add(gap);
    if (this.#pairer !== undefined) {
      await this.#printAll(this.#pairer.flush());
      this.#pairer.noteGap();
    }
    if (!this.options.showGaps) return;
    await this.output.text(this.#json?.gap(gap) ?? `${gapLine(gap, this.#times)}\n`);
  }

  async #printAll(batches: Iterable<EventBatch>): Promise<void> {
    for (const batch of batches) {
      if (this.output.closed) return;
      await this.#print(batch, undefined, batch.count);
    }
  }

  /** Print `count` rows: those in `rows`, or the first ones. */
  async #print(batch: EventBatch, rows: Uint32Array | undefined, count: number): Promise<void> {
    if (count === 0) return;
    const json = this.#json;
    (json ?? this.#lines).load(batch);
    for (let i = 0; i < count && !this.output.closed; ) {
      i =
        json === undefined
          ? this.#fillLines(batch, rows, i, count)
          : this.#fillJson(json, batch, rows, i, count);
      if (i < count) await this.output.flush();
    }
  }

  /** Write lines from the i-th row on until the buffer is full; answers the first not written. */
  #fillLines(batch: EventBatch, rows: Uint32Array | undefined, i: number, count: number): number {
    const { output } = this;
    const lines = this.#lines;
    const { showSnapshots } = this.options;
    const { view } = output;
    let { length } = output;
    const limit = view.byteLength - MAX_LINE_BYTES;
    let listed = 0;
    for (; i < count && length <= limit; i++) {
      const row = rows === undefined ? i : rows[i];
      if (!showSnapshots && isFromTable(batch, row)) continue;
      length = lines.write(view, length, batch, row);
      listed++;
    }
    output.length = length;
    this.#listed += listed;
    return i;
  }

  #fillJson(
    json: JsonWriter,
    batch: EventBatch,
    rows: Uint32Array | undefined,
    i: number,
    count: number,
  ): number {
    const { output } = this;
    for (; i < count; i++) {
      const row = rows === undefined ? i : rows[i];
      if (!this.options.showSnapshots && isFromTable(batch, row)) continue;
      const text = json.row(batch, row);
      if (output.isFull(text.length * 3)) return i;
      output.length += output.bytes.write(text, output.length);
      this.#listed++;
    }
    return i;
  }
}

/** No event, but what the kernel's table told. */
function isFromTable(batch: EventBatch, row: number): boolean {
  const kind = batch.kind[row];
  if (kind === RecordKind.connection) return false;
  return kind === RecordKind.snapshot || (batch.flags[row] & RecordFlag.derived) !== 0;
}

/** Where a query writes. Streams, so that a test can collect and the command line can give its own. */
export interface QueryOutput {
  /** Lines; backpressure is respected, EPIPE ends the query quietly. */
  readonly stdout: Writable;
  /** Header, gaps and damage, a line each. */
  readonly stderr: Writable;
}

/** `-L` */
export interface ListOptions {
  /** `-f`: path of a log, "-" or "/dev/stdin" for standard input. */
  readonly file: string;
  /**
   * `-i`: addresses or address/prefix, IPv4 or IPv6, as the user wrote them; a row matches when any of its
   * four addresses is in any of them. Empty: all.
   */
  readonly networks: readonly string[];
  /** `-p`: ports 0 to 65535; a row matches when any of its four ports is in any of them. Empty: all. */
  readonly ports: readonly PortRange[];
  /** `-s`: pair starts with ends and list connections. */
  readonly squeeze: boolean;
  /** `-H`: no header lines on stderr. */
  readonly noHeader: boolean;
  /** `--json`: newline-delimited JSON (docs/json.md) instead of lines. */
  readonly json: boolean;
  /** `--show-snapshots`: list entries that were already open, letter O. */
  readonly showSnapshots: boolean;
  /** `--show-gaps`: a line where the recorder lost events. */
  readonly showGaps: boolean;
}

/** `-L` without any other letter but `-f`. */
export const defaultListOptions = {
  networks: [],
  ports: [],
  squeeze: false,
  noHeader: false,
  json: false,
  showSnapshots: false,
  showGaps: false,
} as const;

export interface ListResult {
  /** Lines printed on stdout (gap lines not counted). */
  readonly listed: number;
  readonly gaps: number;
  /** Damaged places that were skipped and reported on stderr. */
  readonly damaged: number;
  /** 0, or 1 when something was damaged. */
  readonly exitCode: 0 | 1;
}
