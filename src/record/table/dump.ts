/**
 * The kernel's conntrack table, entry by entry. Table worker's thread: the request blocks in the kernel while
 * another process flushes the table (up to 2 s), and the thread that sends it must hold CAP_NET_ADMIN.
 */

import { errnoCode } from '../../base/errors.js';
import { sleepMicroseconds } from '../../base/libc/clock.js';
import { bindNetlink, closeDescriptor, receiveNetlink, sendNetlink } from '../../base/libc/socket.js';
import { AF_INET, EventBatch, RecordKind, TimeSource } from '../../event/batch.js';
import { KEY4_WORDS, KEY6_WORDS } from '../../event/key.js';
import { KeyedRows } from '../../event/keyed-rows.js';
import { createDecodeCounters, decodeEntry } from '../conntrack/decode.js';
import { NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR } from '../netlink/constants.js';
import {
  aligned,
  FIRST_ATTRIBUTE_OFFSET,
  MSG_CT_GET,
  NLMSG_HEADER_BYTES,
  NLMSG_LENGTH_OFFSET,
  NLMSG_TYPE_OFFSET,
  NLMSGERR_ERROR_OFFSET,
  writeRequestHeader,
} from '../netlink/message.js';
import { openNetfilterSocket, refusal } from '../netlink/netfilter.js';
import { readPlainEntry } from './plain-entry.js';

/**
 * A dump's datagrams never exceed 32,448 bytes (measured); with a larger buffer the kernel makes larger ones.
 */
const BUFFER_BYTES = 32 * 1024;
/** The kernel answers a dump's recv at once; this long it may be kept from that by a flush. */
const ANSWER_MS_MAX = 10_000;
const SEQUENCE = 1;
const OPERATION = 'dump conntrack table';

/** Takes entries of one family, borrowed until it returns; of their flags only RecordFlag.replied is set. */
export type TakeEntries = (rows: KeyedRows) => void;

/**
 * Dump all entries and give them to `take`, a few hundred at a time; they are of kind snapshot and carry
 * `timeUs`. Throws SystemFailure. Not atomic: an entry that comes or goes meanwhile may be in it or not.
 */
export function dumpTable(timeUs: number, take: TakeEntries, rowsPerTake?: number): void {
  const fd = openNetfilterSocket();
  try {
    bindNetlink(fd);
    sendNetlink(fd, dumpRequest(), OPERATION);
    const entries = new DumpedEntries(timeUs, take, rowsPerTake);
    const { bytes, view } = entries;
    for (;;) {
      const length = receive(fd, bytes);
      for (let at = 0; at + NLMSG_HEADER_BYTES <= length; ) {
        const messageBytes = view.getUint32(at + NLMSG_LENGTH_OFFSET, true);
        if (messageBytes < NLMSG_HEADER_BYTES || at + messageBytes > length) break;
        const type = view.getUint16(at + NLMSG_TYPE_OFFSET, true);
        if (type === NLMSG_DONE) {
          entries.flush();
          return;
        }
        if (type === NLMSG_ERROR) throw refusal(OPERATION, -view.getInt32(at + NLMSGERR_ERROR_OFFSET, true));
        entries.add(at, at + messageBytes);
        at += aligned(messageBytes);
      }
    }
  } finally {
    closeDescriptor(fd);
  }
}

/**
 * From messages to rows: what looks as nearly all do is read in place, the rest goes through the general
 * decoder.
 */
class DumpedEntries {
  readonly bytes = new Uint8Array(BUFFER_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  readonly #words = new Uint32Array(this.bytes.buffer);
  readonly #rows4: KeyedRows;
  readonly #rows6: KeyedRows;
  readonly #decoded = new EventBatch(1);
  readonly #counters = createDecodeCounters();

  constructor(
    readonly timeUs: number,
    readonly take: TakeEntries,
    rowsPerTake?: number,
  ) {
    this.#rows4 = new KeyedRows(KEY4_WORDS, rowsPerTake);
    this.#rows6 = new KeyedRows(KEY6_WORDS, rowsPerTake);
  }

  /** The message in [at, end) of `bytes`. */
  add(at: number, end: number): void {
    if (this.#rows4.count === this.#rows4.capacity) this.#give(this.#rows4);
    const rows = this.#rows4;
    const row = rows.count;
    if (readPlainEntry(this.#words, at + FIRST_ATTRIBUTE_OFFSET, end, rows)) {
      rows.kind[row] = RecordKind.snapshot;
      rows.timeUs[row] = this.timeUs;
      rows.timeSource[row] = TimeSource.receive;
    } else this.#decode(at, end);
  }

  flush(): void {
    this.#give(this.#rows4);
    this.#give(this.#rows6);
  }

  #decode(at: number, end: number): void {
    const batch = this.#decoded;
    batch.clear();
    decodeEntry(this.bytes, at, end, this.timeUs, batch, this.#counters);
    if (batch.count === 0) return;
    const rows = batch.family[0] === AF_INET ? this.#rows4 : this.#rows6;
    if (rows.count === rows.capacity) this.#give(rows);
    rows.append(batch, 0);
  }

  #give(rows: KeyedRows): void {
    if (rows.count > 0) this.take(rows);
    rows.count = 0;
  }
}

function receive(fd: number, bytes: Uint8Array): number {
  const deadlineMs = performance.now() + ANSWER_MS_MAX;
  for (;;) {
    try {
      return receiveNetlink(fd, bytes, OPERATION);
    } catch (error) {
      if (errnoCode(error) !== 'EAGAIN' || performance.now() > deadlineMs) throw error;
      sleepMicroseconds(1000);
    }
  }
}

function dumpRequest(): Uint8Array {
  const request = new DataView(new ArrayBuffer(FIRST_ATTRIBUTE_OFFSET));
  writeRequestHeader(request, request.byteLength, MSG_CT_GET, NLM_F_DUMP, SEQUENCE);
  return new Uint8Array(request.buffer); // nfgenmsg of zeros: every family
}
