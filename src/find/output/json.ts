/**
 * Rows and gaps as newline-delimited JSON; docs/json.md describes every key, and a test holds the two
 * together.
 */

import { printableJson } from '../../base/printable.js';
import { utcSecond } from '../../base/time/time-text.js';
import { AF_INET, Column, type EventBatch, RecordFlag, RecordKind, TimeSource } from '../../event/batch.js';
import { type ColumnArrays, columnEntries, type OptionalColumnName } from '../../event/columns.js';
import type { GapRecord } from '../../event/gap.js';
import { PortMeaning, portMeaning, protocolName } from '../../event/protocols.js';
import { type AddressText, AddressText4, AddressText6 } from './address-text.js';
import type { OutputBuffer } from './output-buffer.js';

/** By RecordKind. */
export const eventNames = ['reset', 'start', 'update', 'end', 'snapshot', 'connection'] as const;
const directionNames = ['both', 'orig', 'reply'] as const;
/** enum tcp_conntrack, include/uapi/linux/netfilter/nf_conntrack_tcp.h. */
export const tcpStateNames = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
];
const timeSourceNames = Object.keys(TimeSource);

/** Optional columns whose keys are always there, or depend on what else the row says: `row` writes them. */
const WRITTEN_OUT = new Set<OptionalColumnName>(['zone', 'zoneDirection', 'startUs', 'endUs', 'counters']);
/** All other optional columns that have a key: their value when it is not 0. */
const shownColumns = columnEntries.flatMap(([key, { optional, json }]) => {
  const name = key as OptionalColumnName;
  if (!optional || json.length === 0 || WRITTEN_OUT.has(name)) return [];
  return [{ name, bit: Column[name], prefix: `,"${json[0]}":` }];
});

type ValueText = (value: number, batch: EventBatch) => string;

interface ShownColumn {
  readonly values: ColumnArrays[OptionalColumnName];
  readonly prefix: string;
  readonly text: ValueText | undefined;
}

/** How a value is written that is not a number. */
const valueTexts: { readonly [Name in OptionalColumnName]?: ValueText } = {
  tcpState: (value) => `"${tcpStateNames[value - 1] ?? value - 1}"`,
  helper: (value, { helpers }) => jsonText(helpers[value]),
};

/** The most bytes that a character of a string takes. */
const UTF8_BYTES_MAX = 3;

export class JsonWriter {
  readonly #file: string;
  readonly #text4 = new AddressText4();
  readonly #text6 = new AddressText6();
  /** Addresses of the loaded batch that were needed so far. */
  readonly #strings4: string[] = [];
  readonly #strings6: string[] = [];
  /** The optional columns that the loaded batch holds. */
  #shown: readonly ShownColumn[] = [];
  #second = Number.NaN;
  #secondText = '';

  constructor(file: string) {
    this.#file = jsonText(file);
  }

  /** Format the addresses of a batch: before the first of its rows is written. */
  load(batch: EventBatch): void {
    this.#text4.load(batch.addresses4);
    this.#text6.load(batch.addresses6);
    this.#shown = shownColumns
      .filter(({ bit }) => batch.present & bit)
      .map(({ name, prefix }) => ({
        values: batch[name],
        prefix,
        text: valueTexts[name],
      }));
    this.#strings4.length = 0;
    this.#strings6.length = 0;
  }

  /** See RowOutput. */
  write(
    out: OutputBuffer,
    batch: EventBatch,
    rows: Uint32Array | undefined,
    from: number,
    to: number,
  ): number {
    for (let i = from; i < to; i++) {
      const text = this.row(batch, rows === undefined ? i : rows[i]);
      if (out.isFull(text.length * UTF8_BYTES_MAX)) return i;
      out.length += out.bytes.write(text, out.length);
    }
    return to;
  }

  /**
   * The row as one line, with its newline. Put together by hand: twenty times as fast as JSON.stringify on
   * objects here.
   */
  row(batch: EventBatch, row: number): string {
    const kind = batch.kind[row];
    const flags = batch.flags[row];
    const isConnection = kind === RecordKind.connection;
    const isDerived = (flags & RecordFlag.derived) !== 0 && !isConnection;
    const startSeen =
      (kind === RecordKind.start && !isDerived) || (isConnection && !(flags & RecordFlag.startUnseen));
    const endSeen =
      (kind === RecordKind.end && !isDerived) || (isConnection && !(flags & RecordFlag.endUnseen));
    const timeUs = batch.timeUs[row];
    const time = this.#time(timeUs);
    const startUs = batch.startUs[row];
    // The kernel's word for the start where the row is not the start itself.
    const start = startSeen ? time : startUs === 0 ? 'null' : this.#time(startUs);
    const end = !endSeen ? 'null' : isConnection ? this.#time(batch.endUs[row]) : time;
    let line =
      `{"event":"${eventNames[kind]}","time":${time},"timeSource":"${timeSourceNames[batch.timeSource[row]]}",` +
      `"proto":"${protocolName(batch.proto[row])}","zone":${batch.zone[row]},` +
      `"orig":${this.#side(batch, row, 0)},"reply":${this.#side(batch, row, 1)},` +
      `"replied":${(flags & RecordFlag.replied) !== 0},"start":${start},"startSeen":${startSeen},` +
      `"end":${end},"endSeen":${endSeen}`;
    if (batch.zoneDirection[row] !== 0)
      line += `,"zoneDirection":"${directionNames[batch.zoneDirection[row]]}"`;
    if (isDerived) line += this.#derived(batch, row, kind);
    else if (!endSeen && batch.endUs[row] !== 0) line += `,"endBefore":${this.#time(batch.endUs[row])}`;
    if (flags & RecordFlag.spansGap) line += ',"spansGap":true';
    if (flags & RecordFlag.partial) line += ',"partial":true';
    for (const { values, prefix, text } of this.#shown) {
      const value = values[row];
      if (value !== 0) line += prefix + (text === undefined ? value : text(value, batch));
    }
    return `${line},"file":${this.#file}}\n`;
  }

  /** The times between which something happened that had no event. */
  #derived(batch: EventBatch, row: number, kind: number): string {
    const [after, before] =
      kind === RecordKind.start ? ['startAfter', 'startBefore'] : ['endAfter', 'endBefore'];
    const earliestUs = batch.endUs[row];
    const range =
      earliestUs === 0
        ? ''
        : `,"${after}":${this.#time(earliestUs)},"${before}":${this.#time(batch.timeUs[row])}`;
    return `,"derived":true${range}`;
  }

  gap(gap: GapRecord): string {
    const lost = gap.certainty === 'unknown' ? 'null' : gap.lost;
    return (
      `{"event":"gap","time":${this.#time(gap.fromUs)},"to":${this.#time(gap.toUs)},"lost":${lost},` +
      `"certainty":"${gap.certainty}","cause":${jsonText(gap.cause)},"file":${this.#file}}\n`
    );
  }

  /** RFC 3339 in UTC with microseconds, in quotes. */
  #time(timeUs: number): string {
    const second = Math.floor(timeUs / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = `"${utcSecond(second)}.`;
    }
    // A leading 1 keeps the zeros.
    return `${this.#secondText}${String(1e6 + timeUs - second * 1e6).slice(1)}Z"`;
  }

  /** One side of a connection. Four keys are always there; ports are null where the protocol has none. */
  #side(batch: EventBatch, row: number, direction: 0 | 1): string {
    const isOrig = direction === 0;
    const isV4 = batch.family[row] === AF_INET;
    const text = isV4 ? this.#text4 : this.#text6;
    const strings = isV4 ? this.#strings4 : this.#strings6;
    const srcIndex = isOrig ? batch.origSrc[row] : batch.replySrc[row];
    const dstIndex = isOrig ? batch.origDst[row] : batch.replyDst[row];
    strings[srcIndex] ??= addressString(text, srcIndex);
    strings[dstIndex] ??= addressString(text, dstIndex);
    const sourcePort = isOrig ? batch.origSrcPort[row] : batch.replySrcPort[row];
    const destinationPort = isOrig ? batch.origDstPort[row] : batch.replyDstPort[row];
    const meaning = portMeaning(batch.proto[row]);
    const hasPorts = meaning === PortMeaning.ports;
    let side =
      `{"src":"${strings[srcIndex]}","sport":${hasPorts ? sourcePort : 'null'},` +
      `"dst":"${strings[dstIndex]}","dport":${hasPorts ? destinationPort : 'null'}`;
    if (meaning === PortMeaning.icmp)
      side += `,"type":${destinationPort >>> 8},"code":${destinationPort & 255},"id":${sourcePort}`;
    else if (meaning === PortMeaning.gre) side += `,"srckey":${sourcePort},"dstkey":${destinationPort}`;
    if (isCounted(batch, row)) {
      const at = row * 8 + direction * 4;
      side += `,"packets":${counter(batch.counters, at)},"bytes":${counter(batch.counters, at + 2)}`;
    }
    return `${side}}`;
  }
}

function addressString(text: AddressText, index: number): string {
  return String.fromCharCode(...text.bytes.subarray(text.start(index), text.end(index)));
}

/** A kernel that counts has seen at least one packet of whatever it reports. */
function isCounted({ present, counters }: EventBatch, row: number): boolean {
  if (!(present & Column.counters)) return false;
  for (let i = row * 8; i < row * 8 + 8; i++) if (counters[i] !== 0) return true;
  return false;
}

/** Text from a file as a JSON string that steers no terminal. */
function jsonText(text: string): string {
  return printableJson(JSON.stringify(text));
}

/** A 64-bit counter: a number, or its digits in quotes when a double cannot hold it. */
function counter(words: Uint32Array, at: number): number | string {
  const high = words[at + 1];
  if (high < 0x200000) return high * 0x100000000 + words[at];
  return `"${(BigInt(high) << 32n) | BigInt(words[at])}"`;
}
