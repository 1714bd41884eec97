/**
 * One message through the decoder as a slot of the ring would hold it, and a row of a batch by meaning
 * instead of by index.
 */
import ipaddr from 'ipaddr.js';
import {
  AF_INET,
  AF_INET6,
  EventBatch,
  RecordFlag,
  RecordKind,
  TimeSource,
} from '../../../src/event/batch.js';
import {
  createDecodeCounters,
  type DecodeCounters,
  decodeDatagram,
} from '../../../src/record/conntrack/decode.js';

export interface Side {
  readonly src: string;
  readonly dst: string;
  readonly sport: number;
  readonly dport: number;
  readonly packets: bigint;
  readonly bytes: bigint;
}

export interface Row {
  readonly kind: 'start' | 'end';
  readonly proto: number;
  readonly orig: Side;
  readonly reply: Side;
  readonly replied: boolean;
  readonly partial: boolean;
  readonly timeUs: number;
  readonly timeSource: keyof typeof TimeSource;
  readonly startUs: number;
  readonly status: number;
  readonly mark: number;
  readonly zone: number;
  /** 0 both, 1 orig, 2 reply (ZoneDirection). */
  readonly zoneDirection: number;
  /** enum tcp_conntrack + 1; 0 = none. */
  readonly tcpState: number;
  readonly id: number;
  readonly timeoutSeconds: number;
  readonly use: number;
  /** Hex, 16 bytes. */
  readonly labels: string;
  readonly helper: string;
}

/** Given to the decoder as time of receipt. */
export const RECEIVED_US = 1_790_000_000_000_000;

const timeSources = Object.keys(TimeSource) as (keyof typeof TimeSource)[];

/**
 * A row by meaning. Throws where it makes no sense: an index outside its table, a kind that no message makes.
 */
export function rowOf(batch: EventBatch, row: number): Row {
  const kind = batch.kind[row];
  if (kind !== RecordKind.start && kind !== RecordKind.end) throw new Error(`row of kind ${kind}`);
  const flags = batch.flags[row];
  return {
    kind: kind === RecordKind.start ? 'start' : 'end',
    proto: batch.proto[row],
    orig: sideOf(batch, row, 0),
    reply: sideOf(batch, row, 1),
    replied: (flags & RecordFlag.replied) !== 0,
    partial: (flags & RecordFlag.partial) !== 0,
    timeUs: batch.timeUs[row],
    timeSource: timeSources[batch.timeSource[row]],
    startUs: batch.startUs[row],
    status: batch.status[row],
    mark: batch.mark[row],
    zone: batch.zone[row],
    zoneDirection: batch.zoneDirection[row],
    tcpState: batch.tcpState[row],
    id: batch.id[row],
    timeoutSeconds: batch.timeoutSeconds[row],
    use: batch.use[row],
    labels: Buffer.from(batch.labels.subarray(row * 16, row * 16 + 16)).toString('hex'),
    helper: batch.helpers[batch.helper[row]],
  };
}

function sideOf(batch: EventBatch, row: number, direction: 0 | 1): Side {
  const [src, dst, sport, dport] = [
    [batch.origSrc, batch.origDst, batch.origSrcPort, batch.origDstPort],
    [batch.replySrc, batch.replyDst, batch.replySrcPort, batch.replyDstPort],
  ][direction];
  const counters = row * 8 + direction * 4;
  return {
    src: addressOf(batch, row, src[row]),
    dst: addressOf(batch, row, dst[row]),
    sport: sport[row],
    dport: dport[row],
    packets: counterOf(batch, counters),
    bytes: counterOf(batch, counters + 2),
  };
}

function counterOf({ counters }: EventBatch, at: number): bigint {
  return (BigInt(counters[at + 1]) << 32n) | BigInt(counters[at]);
}

function addressOf({ family, addresses4, addresses6 }: EventBatch, row: number, index: number): string {
  const [table, words] =
    family[row] === AF_INET
      ? [addresses4, addresses4.values.subarray(index, index + 1)]
      : [addresses6, addresses6.words.subarray(index * 4, index * 4 + 4)];
  if (family[row] !== AF_INET && family[row] !== AF_INET6) throw new Error(`row of family ${family[row]}`);
  if (index >= table.count) throw new Error(`row of address ${index}, of ${table.count}`);
  return addressText(words);
}

function addressText(words: Uint32Array): string {
  const bytes = Buffer.alloc(words.byteLength);
  for (const [i, word] of words.entries()) bytes.writeUInt32BE(word, i * 4);
  return ipaddr.fromByteArray([...bytes]).toString();
}

export interface Decoded {
  /** Undefined when the message was not recorded. */
  readonly row: Row | undefined;
  readonly counters: DecodeCounters;
}

export interface Slot {
  /** Bytes of the message that are there; the rest was cut off by the slot. All by default. */
  readonly slotBytes?: number;
  /** What stands behind the slot and must never show. */
  readonly behind?: Uint8Array;
}

const MARGIN_BYTES = 64;
const memory = new Uint8Array(new SharedArrayBuffer(4096));
const batch = new EventBatch(4);

/** Decode a message alone. */
export function decode(message: Uint8Array, { slotBytes = message.length, behind }: Slot = {}): Decoded {
  memory.fill(0xa5);
  memory.set(message.subarray(0, slotBytes), MARGIN_BYTES);
  if (behind !== undefined) memory.set(behind, MARGIN_BYTES + slotBytes);
  batch.clear();
  const counters = createDecodeCounters();
  decodeInto(batch, counters, memory, MARGIN_BYTES, message.length, slotBytes);
  return { row: batch.count === 1 ? rowOf(batch, 0) : undefined, counters };
}

/** The decoder's call with this file's time of receipt. */
export function decodeInto(
  into: EventBatch,
  counters: DecodeCounters,
  bytes: Uint8Array,
  offset: number,
  lengthBytes: number,
  slotBytes = lengthBytes,
): void {
  decodeDatagram(bytes, offset, lengthBytes, slotBytes, RECEIVED_US, TimeSource.receive, into, counters);
}
