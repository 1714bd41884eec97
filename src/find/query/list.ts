/** `-L`: lists the rows of a log, or its connections, as the ancestor did or as JSON. */
import type { Writable } from 'node:stream';
import { DamageError } from '../../base/errors.js';
import { printLine } from '../../base/terminal.js';
import { localZone } from '../../base/time/zone.js';
import { type EventBatch, RecordFlag, RecordKind } from '../../event/batch.js';
import type { GapRecord } from '../../event/gap.js';
import type { Pairer } from '../../event/pair.js';
import { openLog } from '../../log/read/open.js';
import { damageText, type LogHeader, type LogItem, type LogSource } from '../../log/read/source.js';
import { GapSum } from '../output/gap-text.js';
import { OutputBuffer } from '../output/output-buffer.js';
import { type OutputFormat, outputs, type RowOutput } from '../output/row-output.js';
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
    const listing = new Listing(
      options,
      source.header,
      filter,
      await outputs[options.format](source.header, zone),
      await loadPairer(options, source.header),
      new OutputBuffer(out.stdout),
      say,
    );
    await listing.run(source);
    return listing.result();
  } finally {
    await source.close();
  }
}

/** Only some listings need it: a short one is over sooner without. */
async function loadPairer({ squeeze }: ListOptions, header: LogHeader): Promise<Pairer | undefined> {
  if (!squeeze || header.squeezed) return undefined;
  return new (await import('../../event/pair.js')).Pairer(header.startUs);
}

class Listing {
  readonly #gaps = new GapSum();
  #listed = 0;
  #damaged = 0;

  constructor(
    readonly options: ListOptions,
    readonly header: LogHeader,
    readonly filter: RowFilter,
    readonly rowOutput: RowOutput,
    readonly pairer: Pairer | undefined,
    readonly output: OutputBuffer,
    readonly say: (line: string) => void,
  ) {}

  async run(source: LogSource): Promise<void> {
    let failure: unknown;
    try {
      for await (const item of source.items({ openFirst: this.pairer !== undefined })) {
        await this.#take(item);
        if (this.output.closed) return;
      }
    } catch (error) {
      // What was read before it is intact and must not be lost with it.
      failure = error;
    }
    if (this.pairer !== undefined) await this.#printAll(this.pairer.finish());
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
      const { batch } = item;
      const count = this.filter.select(batch);
      const { rows } = this.filter;
      if (this.pairer !== undefined) await this.#printAll(this.pairer.add(batch, rows, count));
      else if (this.options.showSnapshots) await this.#print(batch, rows, count);
      else await this.#print(batch, rows, withoutSnapshots(batch, rows, count));
    } else if (item.type === 'gap') await this.#takeGap(item.gap);
    else if (item.type === 'damage') {
      this.#damaged++;
      // Damage may hide ends as a gap does.
      this.pairer?.noteGap();
      this.say(`${this.header.file}: ${damageText(item.damage)}`);
    }
  }

  async #takeGap(gap: GapRecord): Promise<void> {
    this.#gaps.add(gap);
    if (this.pairer !== undefined) {
      await this.#printAll(this.pairer.flush());
      this.pairer.noteGap();
    }
    if (!this.options.showGaps) return;
    await this.output.text(this.rowOutput.gap(gap));
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
    this.rowOutput.load(batch);
    for (let from = 0; from < count && !this.output.closed; ) {
      const next = this.rowOutput.write(this.output, batch, rows, from, count);
      this.#listed += next - from;
      from = next;
      if (from < count) await this.output.flush();
    }
  }
}

/** Move the rows that an event told, the first `count` of `rows`, together; answers how many. */
function withoutSnapshots(batch: EventBatch, rows: Uint32Array, count: number): number {
  let left = 0;
  for (let i = 0; i < count; i++) if (!isFromTable(batch, rows[i])) rows[left++] = rows[i];
  return left;
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
  /** `--json`: "json", newline-delimited JSON (docs/json.md). */
  readonly format: OutputFormat;
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
  format: 'lines',
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
