/**
 * Writes connections into output batches: from an end and its start, or from a start whose end was not seen.
 */
import { AF_INET, AF_INET6, Column, type EventBatch, RecordFlag, RecordKind, TimeSource } from './batch.js';
import { DIRECTION_SHIFT, KEY4_WORDS, type OrigTuple, PROTO_SHIFT } from './key.js';
import type { OpenStarts } from './open-starts.js';

/** A key as key.ts lays it out. */
export interface LoadedKey {
  readonly key: Uint32Array;
  readonly keyWords: number;
}

/** The original tuple and zone of a loaded key, IPv4 or IPv6. */
export function origTupleOf(store: LoadedKey): OrigTuple {
  const { key, keyWords } = store;
  const words = keyWords === KEY4_WORDS ? 1 : 4;
  const ports = key[keyWords - 3];
  const meta = key[keyWords - 1];
  return {
    proto: meta >>> PROTO_SHIFT,
    src: key.slice(0, words),
    dst: key.slice(words, 2 * words),
    srcPort: ports >>> 16,
    dstPort: ports & 0xffff,
    zone: meta & 0xffff,
    zoneDirection: (meta >>> DIRECTION_SHIFT) & 3,
  };
}

/** Append an empty connection row with the endpoints, zone and protocol of `store.key`; answers its row. */
export function appendKeyRow(out: EventBatch, store: LoadedKey): number {
  const row = out.count++;
  const { key } = store;
  const isV4 = store.keyWords === KEY4_WORDS;
  const { addresses4, addresses6 } = out;
  const address = (i: number) =>
    isV4
      ? addresses4.intern(key[i])
      : addresses6.intern(key[i * 4], key[i * 4 + 1], key[i * 4 + 2], key[i * 4 + 3]);
  out.kind[row] = RecordKind.connection;
  out.family[row] = isV4 ? AF_INET : AF_INET6;
  out.origSrc[row] = address(0);
  out.origDst[row] = address(1);
  out.replySrc[row] = address(2);
  out.replyDst[row] = address(3);
  const at = store.keyWords - 3;
  out.origSrcPort[row] = key[at] >>> 16;
  out.origDstPort[row] = key[at];
  out.replySrcPort[row] = key[at + 1] >>> 16;
  out.replyDstPort[row] = key[at + 1];
  const meta = key[at + 2];
  out.proto[row] = meta >>> PROTO_SHIFT;
  if (meta & 0x3ffff) {
    out.zone[row] = meta;
    out.zoneDirection[row] = (meta >>> DIRECTION_SHIFT) & 3;
    out.present |= Column.zone;
  }
  return row;
}

/** A start whose end was not seen. Leaves its key in `store.key`. */
export function appendOpen(out: EventBatch, store: OpenStarts, entry: number, gaps: number): void {
  store.loadKey(entry);
  const row = appendKeyRow(out, store);
  out.timeUs[row] = store.timeUs(entry);
  out.timeSource[row] = store.timeSource(entry);
  out.endUs[row] = store.endedBeforeUs(entry);
  out.flags[row] =
    store.flags(entry) | RecordFlag.endUnseen | (store.gapsBefore(entry) === gaps ? 0 : RecordFlag.spansGap);
  out.status[row] = store.status(entry);
  out.mark[row] = store.mark(entry);
  out.present |= Column.endUs | Column.status | Column.mark;
}

/**
 * An end, with its start when there is one (`entry` >= 0). `store.key` holds the row's key. Counters, status
 * and what else the end carries are the final ones.
 */
export function appendEnd(
  out: EventBatch,
  store: OpenStarts,
  entry: number,
  gaps: number,
  batch: EventBatch,
  from: number,
): void {
  const row = appendKeyRow(out, store);
  const { present } = batch;
  out.endUs[row] = batch.timeUs[from];
  out.flags[row] = batch.flags[from];
  if (entry >= 0) {
    out.timeUs[row] = store.timeUs(entry);
    out.timeSource[row] = store.timeSource(entry);
    out.flags[row] |= store.flags(entry) | (store.gapsBefore(entry) === gaps ? 0 : RecordFlag.spansGap);
  } else {
    out.timeUs[row] = batch.timeUs[from];
    out.timeSource[row] = batch.timeSource[from];
    out.flags[row] |= RecordFlag.startUnseen;
  }
  if (out.flags[row] & RecordFlag.startUnseen && batch.startUs[from] > 0) {
    // The start is not in the file, but a kernel that keeps timestamps sends it with the end.
    out.timeUs[row] = batch.startUs[from];
    out.timeSource[row] = TimeSource.entry;
    out.flags[row] &= ~RecordFlag.startUnseen;
  }
  out.status[row] = batch.status[from];
  out.mark[row] = batch.mark[from];
  out.tcpState[row] = batch.tcpState[from];
  out.id[row] = batch.id[from];
  if (present & Column.counters)
    for (let i = 0; i < 8; i++) out.counters[row * 8 + i] = batch.counters[from * 8 + i];
  if (present & Column.labels)
    for (let i = 0; i < 16; i++) out.labels[row * 16 + i] = batch.labels[from * 16 + i];
  if (batch.helper[from] !== 0) out.helper[row] = internHelper(out, batch.helpers[batch.helper[from]]);
  out.present |=
    Column.endUs |
    (present &
      (Column.status |
        Column.mark |
        Column.tcpState |
        Column.id |
        Column.counters |
        Column.labels |
        Column.helper));
}

function internHelper(out: EventBatch, name: string): number {
  const known = out.helpers.indexOf(name);
  return known >= 0 ? known : out.helpers.push(name) - 1;
}
