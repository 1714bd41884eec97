/**
 * A trace event as the ctnetlink message that the kernel would send for it (IPv4, without counters and
 * timestamps, which are off by default): four templates, TCP or not and NEW or DESTROY, into which an event's
 * bytes are patched.
 */
import { RecordKind } from '../../src/event/batch.js';
import { IPPROTO_TCP } from './courses.js';
import type { TraceEvent } from './trace.js';

export const MESSAGE_BYTES_MAX = 196;

const NLA_F_NESTED = 0x8000;
const MSG_CT_NEW = 0x0100;
const MSG_CT_DELETE = 0x0102;
const NLM_F_CREATE_EXCL = 0x0600;
const AF_INET = 2;

/** An attribute: number and either payload bytes or nested attributes. */
type Attribute = readonly [number: number, payload: readonly number[] | readonly Attribute[]];

/** Where the templates have what is patched. */
const Offset = { orig: 20, reply: 72, id: 128, status: 136, tcpState: 160 } as const;
/** In a tuple: source and destination address, protocol, source and destination port. */
const InTuple = { src: 12, dst: 20, proto: 32, srcPort: 40, dstPort: 48 } as const;

const templates = [
  template(RecordKind.start, false),
  template(RecordKind.start, true),
  template(RecordKind.end, false),
  template(RecordKind.end, true),
];

/** Writes the event's message at `at`; answers its length in bytes. */
export function writeMessage(event: TraceEvent, view: DataView, bytes: Uint8Array, at: number): number {
  const isTcp = event.proto === IPPROTO_TCP;
  const source = templates[(event.kind === RecordKind.end ? 2 : 0) + (isTcp ? 1 : 0)];
  bytes.set(source, at);
  const { origSrc, origDst, origSrcPort, origDstPort, replyDst, replyDstPort, proto } = event;
  patchTuple(view, at + Offset.orig, proto, origSrc, origDst, origSrcPort, origDstPort);
  patchTuple(view, at + Offset.reply, proto, origDst, replyDst, origDstPort, replyDstPort);
  view.setUint32(at + Offset.id, idOf(event));
  view.setUint32(at + Offset.status, event.status);
  if (isTcp) view.setUint8(at + Offset.tcpState, event.tcpState);
  return source.length;
}

function patchTuple(
  view: DataView,
  at: number,
  proto: number,
  src: number,
  dst: number,
  srcPort: number,
  dstPort: number,
): void {
  view.setUint32(at + InTuple.src, src);
  view.setUint32(at + InTuple.dst, dst);
  view.setUint8(at + InTuple.proto, proto);
  view.setUint16(at + InTuple.srcPort, srcPort);
  view.setUint16(at + InTuple.dstPort, dstPort);
}

/**
 * The kernel's is a keyed hash over the entry's address and tuples: 32 bits that look random and stay the
 * same for an entry.
 */
function idOf({ origSrc, origDst, origSrcPort, replyDstPort, startUs }: TraceEvent): number {
  let hash = Math.imul(origSrc ^ (startUs % 0x1_0000_0000), 0x9e3779b1) ^ Math.imul(origDst, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ (origSrcPort << 16) ^ replyDstPort, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function template(kind: number, isTcp: boolean): Uint8Array {
  const word = [0, 0, 0, 0];
  const short = [0, 0];
  const tuple: Attribute[] = [
    [
      1,
      [
        [1, word],
        [2, word],
      ] as Attribute[],
    ],
    [
      2,
      [
        [1, [0]],
        [2, short],
        [3, short],
      ] as Attribute[],
    ],
  ];
  const attributes: Attribute[] = [
    [1, tuple], // CTA_TUPLE_ORIG
    [2, tuple], // CTA_TUPLE_REPLY
    [12, word], // CTA_ID
    [3, word], // CTA_STATUS
    [7, [0, 0, 0, 30]], // CTA_TIMEOUT
  ];
  const state: Attribute[] = [[1, [0]]]; // CTA_PROTOINFO_TCP_STATE; a NEW also has window scales and flags
  if (kind === RecordKind.start) state.push([2, [0]], [3, [0]], [4, short], [5, short]);
  if (isTcp) attributes.push([4, [[1, state]]]); // CTA_PROTOINFO
  const type = kind === RecordKind.start ? MSG_CT_NEW : MSG_CT_DELETE;
  const flags = kind === RecordKind.start ? NLM_F_CREATE_EXCL : 0;
  const payload = attributes.flatMap(encode);
  const lengthBytes = 20 + payload.length;
  const header = [...le16(lengthBytes), 0, 0, ...le16(type), ...le16(flags), ...word, ...word];
  return Uint8Array.from([...header, AF_INET, 0, 0, 0, ...payload]);
}

function encode([number, payload]: Attribute): number[] {
  const nested = payload.length > 0 && typeof payload[0] !== 'number';
  const bytes = nested
    ? (payload as readonly Attribute[]).flatMap(encode)
    : [...(payload as readonly number[])];
  const lengthBytes = 4 + bytes.length;
  while (bytes.length % 4 !== 0) bytes.push(0);
  return [...le16(lengthBytes), ...le16(nested ? number | NLA_F_NESTED : number), ...bytes];
}

function le16(value: number): number[] {
  return [value & 0xff, value >> 8];
}
