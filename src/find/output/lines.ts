/**
 * Rows as the ancestor's list lines, written as bytes: once per listed row, no string, no allocation.
 *
 *     TIME LETTER[+ or space, ? = without an event] src=A:P dst=A:P src=A:P dst=A:P[ proto=NAME]
 *     START END src=A:P dst=A:P src=A:P dst=A:P[ proto=NAME]
 *
 * The first pair is the original tuple, the second the reply. IPv6 endpoints are `[2001:db8::1]:443`.
 * Protocols without ports name what they have instead, and their addresses carry no port and no brackets:
 * ICMP and ICMPv6 `src=A dst=A type=T code=C id=N`, GRE `src=A dst=A srckey=N dstkey=N`, any other protocol
 * `src=A dst=A`, once per tuple.
 */

import { writePort } from '../../base/digits.js';
import { TimeWriter } from '../../base/time/time-text.js';
import type { Zone } from '../../base/time/zone.js';
import { AF_INET, type EventBatch, RecordFlag, RecordKind } from '../../event/batch.js';
import type { GapRecord } from '../../event/gap.js';
import { PortMeaning, portMeaning, protocolName } from '../../event/protocols.js';
import { type AddressText, AddressText4, AddressText6 } from './address-text.js';
import { gapLine } from './gap-text.js';
import type { OutputBuffer } from './output-buffer.js';

/** No line is longer: two times, four endpoints and what else there is. */
export const MAX_LINE_BYTES = 512;

const ascii = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
const SPACE = 32;
const PLUS = 43;
const QUESTION_MARK = 63;
const NEWLINE = 10;
/** By RecordKind. */
const LETTERS = ascii('RSUEO');
/** A missing time: as wide as a time, a dash for the date and one for the clock. */
const NO_TIME = ascii(`-${' '.repeat(10)}-${' '.repeat(14)}`);
const SRC = ascii(' src=');
const DST = ascii(' dst=');
/** ` dst` as a little-endian word. */
const DST_WORD = 0x74736420;
const TYPE = ascii(' type=');
const CODE = ascii(' code=');
const ID = ascii(' id=');
const SRCKEY = ascii(' srckey=');
const DSTKEY = ascii(' dstkey=');

export class LineWriter {
  readonly #times: TimeWriter;
  readonly #ends: TimeWriter;
  readonly #text4 = new AddressText4();
  readonly #text6 = new AddressText6();
  /** ` proto=NAME` by protocol number, made when first needed; undefined when lines carry none. */
  readonly #suffixes: Uint8Array[] | undefined;

  constructor(zone: Zone, withProtocol: boolean) {
    this.#times = new TimeWriter(zone);
    this.#ends = new TimeWriter(zone);
    this.#suffixes = withProtocol ? [] : undefined;
  }

  /** Format the addresses of a batch: before the first of its rows is written. */
  load(batch: EventBatch): void {
    this.#text4.load(batch.addresses4);
    this.#text6.load(batch.addresses6);
  }

  /** See RowOutput. */
  write(
    out: OutputBuffer,
    batch: EventBatch,
    rows: Uint32Array | undefined,
    from: number,
    to: number,
  ): number {
    const { view } = out;
    const limit = view.byteLength - MAX_LINE_BYTES;
    let { length } = out;
    let i = from;
    for (; i < to && length <= limit; i++)
      length = this.line(view, length, batch, rows === undefined ? i : rows[i]);
    out.length = length;
    return i;
  }

  gap(gap: GapRecord): string {
    return `${gapLine(gap, this.#times)}\n`;
  }

  /**
   * Write the line of a row, with its newline, at `at`; there is room for MAX_LINE_BYTES. Answers the offset
   * behind it.
   */
  line(view: DataView, at: number, batch: EventBatch, row: number): number {
    at =
      batch.kind[row] === RecordKind.connection
        ? this.#writeSpan(view, at, batch, row)
        : this.#writeEvent(view, at, batch, row);
    const text = batch.family[row] === AF_INET ? this.#text4 : this.#text6;
    const proto = batch.proto[row];
    if (portMeaning(proto) === PortMeaning.ports) {
      at = writeEndpoint(view, at, text, batch.origSrc[row], batch.origSrcPort[row]);
      const origDstAt = at;
      at = writeEndpoint(view, at, text, batch.origDst[row], batch.origDstPort[row]);
      at = writeEndpoint(view, at, text, batch.replySrc[row], batch.replySrcPort[row]);
      const replyDstAt = at;
      at = writeEndpoint(view, at, text, batch.replyDst[row], batch.replyDstPort[row]);
      renameToDst(view, origDstAt);
      renameToDst(view, replyDstAt);
    } else {
      at = writeBytes(view, at, SRC);
      at = writeAddress(view, at, text, batch.origSrc[row]);
      at = writeBytes(view, at, DST);
      at = writeAddress(view, at, text, batch.origDst[row]);
      at = writeKeys(view, at, portMeaning(proto), batch.origSrcPort[row], batch.origDstPort[row]);
      at = writeBytes(view, at, SRC);
      at = writeAddress(view, at, text, batch.replySrc[row]);
      at = writeBytes(view, at, DST);
      at = writeAddress(view, at, text, batch.replyDst[row]);
      at = writeKeys(view, at, portMeaning(proto), batch.replySrcPort[row], batch.replyDstPort[row]);
    }
    if (this.#suffixes !== undefined) {
      this.#suffixes[proto] ??= ascii(` proto=${protocolName(proto)}`);
      at = writeBytes(view, at, this.#suffixes[proto]);
    }
    view.setUint8(at++, NEWLINE);
    return at;
  }

  #writeEvent(view: DataView, at: number, batch: EventBatch, row: number): number {
    at = this.#times.write(view, at, batch.timeUs[row]);
    view.setUint8(at++, SPACE);
    view.setUint8(at++, LETTERS[batch.kind[row]]);
    const flags = batch.flags[row];
    view.setUint8(
      at++,
      flags & RecordFlag.derived ? QUESTION_MARK : flags & RecordFlag.replied ? PLUS : SPACE,
    );
    return at;
  }

  #writeSpan(view: DataView, at: number, batch: EventBatch, row: number): number {
    const flags = batch.flags[row];
    if (flags & RecordFlag.startUnseen) at = writeBytes(view, at, NO_TIME);
    else at = this.#times.write(view, at, batch.timeUs[row]);
    view.setUint8(at++, SPACE);
    if (flags & RecordFlag.endUnseen) return writeBytes(view, at, NO_TIME);
    return this.#ends.write(view, at, batch.endUs[row]);
  }
}

/** ` src=ADDRESS:PORT`. Copies whole words: what it scribbles behind the address is written next. */
function writeEndpoint(view: DataView, at: number, text: AddressText, index: number, port: number): number {
  const { slotBytes } = text;
  const source = text.view;
  const from = index * slotBytes;
  for (let i = 0; i < slotBytes; i += 4) view.setUint32(at + i, source.getUint32(from + i, true), true);
  return writePort(view, at + text.lengths[index], port);
}

/** Make ` src=` at `at` ` dst=`. */
function renameToDst(view: DataView, at: number): void {
  view.setUint32(at, DST_WORD, true);
}

function writeAddress(view: DataView, at: number, text: AddressText, index: number): number {
  const end = text.end(index);
  for (let i = text.start(index); i < end; i++) view.setUint8(at++, text.bytes[i]);
  return at;
}

function writeKeys(view: DataView, at: number, meaning: number, source: number, destination: number): number {
  if (meaning === PortMeaning.icmp) {
    at = writePort(view, writeBytes(view, at, TYPE), destination >>> 8);
    at = writePort(view, writeBytes(view, at, CODE), destination & 255);
    return writePort(view, writeBytes(view, at, ID), source);
  }
  if (meaning === PortMeaning.gre) {
    at = writePort(view, writeBytes(view, at, SRCKEY), source);
    return writePort(view, writeBytes(view, at, DSTKEY), destination);
  }
  return at;
}

function writeBytes(view: DataView, at: number, source: Uint8Array): number {
  for (let i = 0; i < source.length; i++) view.setUint8(at + i, source[i]);
  return at + source.length;
}
