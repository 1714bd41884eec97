/**
 * What `ctrecorder -L` has to say of a capture, worked out without our decoder: a plain walk over the
 * attributes, by include/uapi/linux/netfilter/nfnetlink_conntrack.h.
 */
import ipaddr from 'ipaddr.js';
import { type Connection, connectionText, type Tuple } from '../../lab/connection.js';
import { readAll } from './captures.js';

export interface CapturedEvent {
  /** Of the message where it has one (CTA_TIMESTAMP_EVENT), else of the packet. */
  readonly timeUs: number;
  /** The line of a listing in UTC, for a file of several protocols. */
  readonly line: string;
}

const MSG_CT_NEW = 0x0100;
const IPS_SEEN_REPLY = 2;
const CTA = { tupleOrig: 1, tupleReply: 2, status: 3, timestampEvent: 27 } as const;
const CTA_TUPLE = { ip: 1, proto: 2 } as const;
const CTA_IP = { v4src: 1, v4dst: 2, v6src: 3, v6dst: 4 } as const;
const CTA_PROTO = { num: 1, sport: 2, dport: 3, icmpId: 4, icmpType: 5, icmpCode: 6 } as const;
/** Numbers of CTA_PROTO_ICMPV6_* are those of CTA_PROTO_ICMP_* and this. */
const ICMPV6 = 3;
const NAMES: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };

/** Every event of a capture that has nothing else, one message a packet, in its order. */
export async function capturedEvents(capture: Uint8Array): Promise<CapturedEvent[]> {
  return (await readAll(capture)).map(({ timeUs, bytes }) =>
    eventOf(Buffer.from(bytes.subarray(16)), timeUs),
  );
}

function eventOf(message: Buffer, packetUs: number): CapturedEvent {
  const found = attributes(message.subarray(20));
  const timestamp = found.get(CTA.timestampEvent);
  const timeUs = timestamp === undefined ? packetUs : Number(timestamp.readBigUInt64BE() / 1000n);
  const [proto, orig] = tuple(found.get(CTA.tupleOrig)!);
  const [, reply] = tuple(found.get(CTA.tupleReply)!);
  const connection: Connection = { proto, orig, reply };
  const letter = message.readUInt16LE(4) === MSG_CT_NEW ? 'S' : 'E';
  const replied = found.get(CTA.status)!.readUInt32BE() & IPS_SEEN_REPLY ? '+' : ' ';
  const line = `${timeText(timeUs)} ${letter}${replied} ${connectionText(connection)} proto=${NAMES[proto]}`;
  return { timeUs, line };
}

function attributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

function tuple(bytes: Buffer): [proto: number, tuple: Tuple] {
  const parts = attributes(bytes);
  const [ip, proto] = [parts.get(CTA_TUPLE.ip)!, parts.get(CTA_TUPLE.proto)!].map(attributes);
  const src = address(ip.get(CTA_IP.v4src) ?? ip.get(CTA_IP.v6src)!);
  const dst = address(ip.get(CTA_IP.v4dst) ?? ip.get(CTA_IP.v6dst)!);
  const number = proto.get(CTA_PROTO.num)!.readUInt8();
  if (number === 6 || number === 17) {
    const [sport, dport] = [CTA_PROTO.sport, CTA_PROTO.dport].map((port) => proto.get(port)!.readUInt16BE());
    return [number, { src, sport, dst, dport }];
  }
  const shift = number === 58 ? ICMPV6 : 0;
  const [type, code] = [CTA_PROTO.icmpType, CTA_PROTO.icmpCode].map((one) =>
    proto.get(one + shift)!.readUInt8(),
  );
  const sport = proto.get(CTA_PROTO.icmpId + shift)!.readUInt16BE();
  return [number, { src, sport, dst, dport: (type << 8) | code }];
}

function address(bytes: Buffer): string {
  return ipaddr.fromByteArray([...bytes]).toString();
}

/** As the ancestor printed it, in UTC. */
function timeText(timeUs: number): string {
  const iso = new Date(Math.floor(timeUs / 1000)).toISOString();
  return `${iso.slice(0, 10).replaceAll('-', '.')} ${iso.slice(11, 19)}.${String(timeUs % 1e6).padStart(6, '0')}`;
}
