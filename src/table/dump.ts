/**
 * The kernel's conntrack table, entry by entry. Table worker's thread: the request blocks in the kernel while another process flushes
 * the table (up to 2 s), and the thread that sends it must hold CAP_NET_ADMIN.
 */

import type { EventBatch } from '../conntrack/batch.js';
import { type DecodeCounters, decodeEntry } from '../conntrack/decode.js';
import { errnoCode } from '../errors.js';
import {
  IPCTNL_MSG_CT_GET,
  NFNL_SUBSYS_CTNETLINK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from '../netlink/constants.js';
import {
  bindNetlink,
  closeDescriptor,
  receiveNetlink,
  sendNetlink,
  sleepMicroseconds,
} from '../netlink/libc.js';
import { openNetfilterSocket, refusal } from '../netlink/netfilter.js';

/** A dump's datagrams never exceed 32,448 bytes (measured); with a larger buffer the kernel makes larger ones. */
const BUFFER_BYTES = 32 * 1024;
const HEADER_BYTES = 16;
const NFGENMSG_BYTES = 4;
/** The kernel answers a dump's recv at once; this long it may be kept from that by a flush. */
const ANSWER_MS_MAX = 10_000;
const SEQUENCE = 1;
const OPERATION = 'dump conntrack table';

/** Takes entries, borrowed until it returns; rows have kind snapshot. */
export type TakeEntries = (batch: EventBatch) => void;

/**
 * Dump all entries into `batch`, which is given to `take` whenever it is full and at the end, and cleared. Rows carry `timeUs`.
 * Throws SystemFailure. Not atomic: an entry that comes or goes meanwhile may be in it or not.
 */
export function dumpTable(
  batch: EventBatch,
  counters: DecodeCounters,
  timeUs: number,
  take: TakeEntries,
): void {
  const fd = openNetfilterSocket();
  try {
    bindNetlink(fd);
    sendNetlink(fd, dumpRequest(), OPERATION);
    const bytes = new Uint8Array(BUFFER_BYTES);
    const view = new DataView(bytes.buffer);
    for (;;) {
      const length = receive(fd, bytes);
      for (let at = 0; at + HEADER_BYTES <= length; ) {
        const messageBytes = view.getUint32(at, true);
        if (messageBytes < HEADER_BYTES || at + messageBytes > length) break;
        const type = view.getUint16(at + 4, true);
        if (type === NLMSG_DONE) {
          flush(batch, take);
          return;
        }
        if (type === NLMSG_ERROR) throw refusal(OPERATION, -view.getInt32(at + HEADER_BYTES, true));
        if (batch.count === batch.capacity) flush(batch, take);
        decodeEntry(bytes, at, at + messageBytes, timeUs, batch, counters);
        at += (messageBytes + 3) & ~3;
      }
    }
  } finally {
    closeDescriptor(fd);
  }
}

function flush(batch: EventBatch, take: TakeEntries): void {
  if (batch.count > 0) take(batch);
  batch.clear();
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
  const request = new DataView(new ArrayBuffer(HEADER_BYTES + NFGENMSG_BYTES));
  request.setUint32(0, request.byteLength, true);
  request.setUint16(4, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, true);
  request.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
  request.setUint32(8, SEQUENCE, true);
  return new Uint8Array(request.buffer); // nfgenmsg of zeros: every family
}
