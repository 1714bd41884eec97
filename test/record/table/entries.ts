/**
 * Conntrack entries of every kind that ctnetlink makes, and table rows in the same words. Inside a namespace.
 */
import ipaddr from 'ipaddr.js';
import { bindNetlink, closeDescriptor, receiveNetlink, sendNetlink } from '../../../src/base/libc/socket.js';
import { AF_INET, EventBatch, ZoneDirection } from '../../../src/event/batch.js';
import { appendKeyRow } from '../../../src/event/connection-rows.js';
import type { OrigTuple } from '../../../src/event/key.js';
import type { KeyedRows } from '../../../src/event/keyed-rows.js';
import { PortMeaning, portMeaning } from '../../../src/event/protocols.js';
import { openNetfilterSocket } from '../../../src/record/netlink/netfilter.js';
import { attribute, be16, be32, message, nested, u8 } from '../../lab/flood.js';

export interface Side {
  readonly src: string;
  readonly dst: string;
  /** ICMP: the id; GRE: the key. */
  readonly sport: number;
  /** ICMP: type << 8 | code; GRE: the key. */
  readonly dport: number;
}

export interface Entry {
  readonly proto: number;
  readonly orig: Side;
  readonly reply: Side;
  readonly zone?: number;
  readonly zoneDirection?: number;
  readonly mark?: number;
}

// include/uapi/linux/netfilter/nfnetlink_conntrack.h
const MSG_NEW = 0x100;
const MSG_DELETE = 0x102;
const NLM_F_ACK = 4;
const NLM_F_CREATE_EXCL = 0x600;
const CTA = { tupleOrig: 1, tupleReply: 2, protoinfo: 4, timeout: 7, mark: 8, zone: 18 };
const CTA_TUPLE = { ip: 1, proto: 2, zone: 3 };
const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
const TCP_CONNTRACK_ESTABLISHED = 3;

const isV6 = (entry: Entry) => entry.orig.src.includes(':');

function tuple(entry: Entry, type: number): Buffer {
  const side = type === CTA.tupleOrig ? entry.orig : entry.reply;
  const address = (text: string) => Buffer.from(ipaddr.parse(text).toByteArray());
  const first = isV6(entry) ? 3 : 1;
  const meaning = portMeaning(entry.proto);
  const proto = [attribute(1, u8(entry.proto))];
  if (meaning === PortMeaning.icmp) {
    const id = entry.proto === IPPROTO_ICMP ? 4 : 7;
    proto.push(attribute(id, be16(side.sport)));
    proto.push(attribute(id + 1, u8(side.dport >> 8)), attribute(id + 2, u8(side.dport & 255)));
  } else if (meaning !== PortMeaning.none)
    proto.push(attribute(2, be16(side.sport)), attribute(3, be16(side.dport)));
  const { zone, zoneDirection } = entry;
  const inTuple = type === CTA.tupleOrig ? ZoneDirection.orig : ZoneDirection.reply;
  return nested(
    type,
    nested(CTA_TUPLE.ip, attribute(first, address(side.src)), attribute(first + 1, address(side.dst))),
    nested(CTA_TUPLE.proto, ...proto),
    ...(zone !== undefined && zoneDirection === inTuple ? [attribute(CTA_TUPLE.zone, be16(zone))] : []),
  );
}

function zoneOfBoth({ zone, zoneDirection }: Entry): Buffer[] {
  if (zone === undefined || (zoneDirection ?? ZoneDirection.both) !== ZoneDirection.both) return [];
  return [attribute(CTA.zone, be16(zone))];
}

export function createEntry(entry: Entry): void {
  const established = nested(CTA.protoinfo, nested(1, attribute(1, u8(TCP_CONNTRACK_ESTABLISHED))));
  exchange(
    message(MSG_NEW, NLM_F_CREATE_EXCL | NLM_F_ACK, isV6(entry) ? 10 : 2, [
      tuple(entry, CTA.tupleOrig),
      tuple(entry, CTA.tupleReply),
      attribute(CTA.timeout, be32(3600)),
      ...zoneOfBoth(entry),
      ...(entry.proto === IPPROTO_TCP ? [established] : []),
      ...(entry.mark === undefined ? [] : [attribute(CTA.mark, be32(entry.mark))]),
    ]),
    entry,
  );
}

export function removeEntry(entry: Entry): void {
  const attributes = [tuple(entry, CTA.tupleOrig), ...zoneOfBoth(entry)];
  exchange(message(MSG_DELETE, NLM_F_ACK, isV6(entry) ? 10 : 2, attributes), entry);
}

function exchange(request: Buffer, entry: Entry): void {
  const fd = openNetfilterSocket();
  try {
    bindNetlink(fd);
    sendNetlink(fd, request, 'inject');
    const answer = new Uint8Array(4096);
    receiveNetlink(fd, answer, 'inject');
    const errno = new DataView(answer.buffer).getInt32(16, true);
    if (errno !== 0) throw new Error(`inject: the kernel refused ${entryText(entry)} with ${errno}`);
  } finally {
    closeDescriptor(fd);
  }
}

/** What `EntryLookup` is asked. */
export function origTuple(entry: Entry): OrigTuple {
  const words = (text: string) => {
    const bytes = Buffer.from(ipaddr.parse(text).toByteArray());
    return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32BE(i * 4));
  };
  const { proto, orig, zone = 0, zoneDirection = ZoneDirection.both } = entry;
  const { src, dst, sport, dport } = orig;
  return { proto, src: words(src), dst: words(dst), srcPort: sport, dstPort: dport, zone, zoneDirection };
}

export function entryText(entry: Entry): string {
  const side = ({ src, dst, sport, dport }: Side) => `${src} ${sport} > ${dst} ${dport}`;
  const { proto, orig, reply, zone = 0, zoneDirection = 0, mark = 0 } = entry;
  return `${proto} zone ${zone}/${zoneDirection} mark ${mark}: ${side(orig)}, ${side(reply)}`;
}

/** The same of a row of a dump. */
/** The row as a row of a batch. */
export function keyedRowText(rows: KeyedRows, row: number): string {
  const batch = new EventBatch(1);
  const keyWords = rows.keyWords;
  const key = rows.keys.slice(row * keyWords, (row + 1) * keyWords);
  appendKeyRow(batch, { key, keyWords });
  batch.mark[0] = rows.mark[row];
  return rowText(batch, 0);
}

export function rowText(batch: EventBatch, row: number): string {
  const address = (index: number) => {
    if (batch.family[row] !== AF_INET) {
      const bytes = Buffer.alloc(16);
      for (let i = 0; i < 4; i++) bytes.writeUInt32BE(batch.addresses6.words[index * 4 + i], i * 4);
      return ipaddr.fromByteArray([...bytes]).toString();
    }
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(batch.addresses4.values[index]);
    return ipaddr.fromByteArray([...bytes]).toString();
  };
  return entryText({
    proto: batch.proto[row],
    zone: batch.zone[row],
    zoneDirection: batch.zoneDirection[row],
    mark: batch.mark[row],
    orig: {
      src: address(batch.origSrc[row]),
      dst: address(batch.origDst[row]),
      sport: batch.origSrcPort[row],
      dport: batch.origDstPort[row],
    },
    reply: {
      src: address(batch.replySrc[row]),
      dst: address(batch.replyDst[row]),
      sport: batch.replySrcPort[row],
      dport: batch.replyDstPort[row],
    },
  });
}

const orig4: Side = { src: '10.0.0.2', dst: '203.0.113.1', sport: 40_000, dport: 443 };
const reply4: Side = { src: '203.0.113.1', dst: '198.51.100.1', sport: 443, dport: 50_000 };
const orig6: Side = { src: 'fd77::2', dst: '2001:db8:80::1', sport: 40_000, dport: 443 };
const reply6: Side = { src: '2001:db8:80::1', dst: '2001:db8:1::1', sport: 443, dport: 50_000 };
const plain = (side: Side): Side => ({ ...side, sport: 0, dport: 0 });
const ping = (side: Side, sport: number, type: number): Side => ({ ...side, sport, dport: type << 8 });

const protocols = { tcp: 6, udp: 17, dccp: 33, gre: 47, esp: 50, sctp: 132, udplite: 136 };

/** One of each kind. */
export const entries: readonly Entry[] = [
  ...[protocols.tcp, protocols.udp, protocols.sctp].flatMap((proto) => [
    { proto, orig: orig4, reply: reply4 },
    { proto, orig: orig6, reply: reply6 },
    // The same tuples in zones, each with a direction of its own, and with a mark.
    { proto, orig: orig4, reply: reply4, zone: 7, mark: 0xdeadbeef },
    { proto, orig: orig4, reply: { ...reply4, dport: 50_001 }, zone: 8, zoneDirection: ZoneDirection.orig },
    {
      proto,
      orig: { ...orig4, sport: 40_001 },
      reply: reply4,
      zone: 9,
      zoneDirection: ZoneDirection.reply,
    },
    { proto, orig: orig6, reply: reply6, zone: 65_535, mark: 1 },
  ]),
  {
    proto: protocols.gre,
    orig: { ...orig4, sport: 17, dport: 18 },
    reply: { ...reply4, sport: 18, dport: 17 },
  },
  { proto: protocols.esp, orig: plain(orig4), reply: plain(reply4) },
  { proto: protocols.esp, orig: plain(orig6), reply: plain(reply6), zone: 3 },
  { proto: IPPROTO_ICMP, orig: ping(orig4, 77, 8), reply: ping(reply4, 78, 0) },
  { proto: IPPROTO_ICMP, orig: ping(orig4, 77, 8), reply: ping(reply4, 78, 0), zone: 5 },
  { proto: 58, orig: ping(orig6, 77, 128), reply: ping(reply6, 78, 129) },
];
