/**
 * Entries for ctnetlink, by index: the same plan and index always give the same tuples, so that a test can
 * check hundreds of thousands of connections without keeping them. Constants:
 * include/uapi/linux/netfilter/nfnetlink_conntrack.h.
 */
import { type Connection, Proto } from './connection.js';

export interface FloodPlan {
  readonly count: number;
  /** Index of the first entry; plans that do not overlap make different connections. */
  readonly first?: number;
  /** A protocol with ports. */
  readonly proto?: number;
  readonly family?: 4 | 6;
  readonly zone?: number;
  /** Longer than any test, so that entries end when they are told to. */
  readonly timeoutSeconds?: number;
}

/** Low 32 bits of the addresses, and the ports. IPv6 addresses have fixed upper bits. */
export interface FloodFields {
  client: number;
  clientPort: number;
  server: number;
  public: number;
  publicPort: number;
}

const CLIENTS = 4096;
const PORTS = 60_000;
const FIRST_PORT = 1024;
const SERVERS = 250;
export const SERVER_PORT = 443;
const PUBLIC_ADDRESSES = 250;
/** Reply tuples are unique up to here. */
export const MAX_FLOOD_INDEX = PORTS * PUBLIC_ADDRESSES;

const CLIENT_NET = 0x0a000000;
const SERVER_NET = 0xcb007100;
const PUBLIC_NET = 0xc6336400;
const PREFIX6 = { client: 'fd77', server: '2001:db8:80', public: '2001:db8:1' };

/** Set `fields` to those of the index's connection. */
export function fillFields(fields: FloodFields, index: number): void {
  fields.client = CLIENT_NET + 2 + (index % CLIENTS);
  fields.clientPort = FIRST_PORT + (Math.floor(index / CLIENTS) % PORTS);
  fields.server = SERVER_NET + 1 + (index % SERVERS);
  fields.public = PUBLIC_NET + 1 + Math.floor(index / PORTS);
  fields.publicPort = FIRST_PORT + (index % PORTS);
}

/**
 * The connection of an index: a client behind source NAT, its reply tuple naming the public address and port.
 */
export function floodConnection(plan: FloodPlan, index: number): Connection {
  const fields: FloodFields = { client: 0, clientPort: 0, server: 0, public: 0, publicPort: 0 };
  fillFields(fields, index);
  const text = plan.family === 6 ? text6 : text4;
  const server = text(fields.server, 'server');
  return {
    proto: plan.proto ?? Proto.tcp,
    ...(plan.zone === undefined ? {} : { zone: plan.zone }),
    orig: { src: text(fields.client, 'client'), sport: fields.clientPort, dst: server, dport: SERVER_PORT },
    reply: { src: server, sport: SERVER_PORT, dst: text(fields.public, 'public'), dport: fields.publicPort },
  };
}

/**
 * The only index whose connection can have this public (reply destination) address and port; compare the rest
 * with it.
 */
export function floodIndex(publicAddress: string, publicPort: number): number {
  const lastByte = publicAddress.includes(':')
    ? Number.parseInt(publicAddress.slice(-2), 16)
    : Number(publicAddress.slice(publicAddress.lastIndexOf('.') + 1));
  return indexOfPublic(lastByte, publicPort);
}

/** As `floodIndex`, from the low bits of the address. */
export function indexOfPublic(publicLow: number, publicPort: number): number {
  return ((publicLow & 255) - 1) * PORTS + publicPort - FIRST_PORT;
}

function text4(low: number): string {
  return `${low >>> 24}.${(low >>> 16) & 255}.${(low >>> 8) & 255}.${low & 255}`;
}

function text6(low: number, side: keyof typeof PREFIX6): string {
  return `${PREFIX6[side]}::${(low >>> 16).toString(16)}:${(low & 0xffff).toString(16)}`;
}

const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_CREATE_EXCL = 0x600;
const NLA_F_NESTED = 0x8000;
/** NFNL_SUBSYS_CTNETLINK << 8 with IPCTNL_MSG_CT_NEW or IPCTNL_MSG_CT_DELETE. */
const MSG_NEW = 0x100;
const MSG_DELETE = 0x102;
const CTA = { tupleOrig: 1, tupleReply: 2, protoinfo: 4, timeout: 7, zone: 18 };
const CTA_TUPLE = { ip: 1, proto: 2 };
const CTA_PROTO = { num: 1, srcPort: 2, dstPort: 3 };
const TCP_CONNTRACK_ESTABLISHED = 3;
const NLMSG_HEADER_BYTES = 16;
const AF = { 4: 2, 6: 10 };

export function attribute(type: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc((4 + payload.length + 3) & ~3);
  bytes.writeUInt16LE(4 + payload.length, 0);
  bytes.writeUInt16LE(type, 2);
  payload.copy(bytes, 4);
  return bytes;
}

export const nested = (type: number, ...children: Buffer[]) =>
  attribute(type | NLA_F_NESTED, Buffer.concat(children));
export const u8 = (value: number) => Buffer.of(value);
export const be16 = (value: number) => Buffer.of(value >>> 8, value & 255);
export const be32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

export function message(type: number, flags: number, family: number, attributes: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.of(family, 0, 0, 0), ...attributes]);
  const header = Buffer.alloc(NLMSG_HEADER_BYTES);
  header.writeUInt32LE(header.length + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags | NLM_F_REQUEST, 6);
  return Buffer.concat([header, body]);
}

/** One message that ends every entry of the namespace: DELETE without a tuple. */
export function flushMessage(): Buffer {
  return message(MSG_DELETE, NLM_F_ACK, 0, []);
}

/**
 * Messages of a plan, many in one buffer (one `sendmsg`). The kernel answers an error for each refused
 * message, and for the last one always, so one answer with the last sequence number ends the batch. Sequence
 * numbers are entry index + 1 (0 is the kernel's own).
 */
export class FloodBatch {
  readonly #message: Buffer;
  readonly #bytes: Buffer;
  readonly #fields: FloodFields = { client: 0, clientPort: 0, server: 0, public: 0, publicPort: 0 };
  /**
   * Offsets in a message of the fields that differ between entries; the address of IPv6 is the last four
   * bytes.
   */
  readonly #orig: TupleOffsets;
  readonly #reply: TupleOffsets | undefined;

  constructor(
    operation: 'create' | 'remove',
    plan: FloodPlan,
    readonly capacity: number,
  ) {
    const family = plan.family ?? 4;
    const proto = plan.proto ?? Proto.tcp;
    const attributes = [tupleAttribute(CTA.tupleOrig, family, proto, 'client', 'server')];
    if (operation === 'create') {
      attributes.push(tupleAttribute(CTA.tupleReply, family, proto, 'server', 'public'));
      attributes.push(attribute(CTA.timeout, be32(plan.timeoutSeconds ?? 3600)));
      if (proto === Proto.tcp)
        attributes.push(nested(CTA.protoinfo, nested(1, attribute(1, u8(TCP_CONNTRACK_ESTABLISHED)))));
    }
    if (plan.zone !== undefined) attributes.push(attribute(CTA.zone, be16(plan.zone)));
    const created = operation === 'create';
    this.#message = message(
      created ? MSG_NEW : MSG_DELETE,
      created ? NLM_F_CREATE_EXCL : 0,
      AF[family],
      attributes,
    );
    this.#orig = tupleOffsets(NLMSG_HEADER_BYTES + 4, family);
    this.#reply = created ? tupleOffsets(this.#orig.endOffset, family) : undefined;
    this.#bytes = Buffer.alloc(this.#message.length * capacity);
    for (let i = 0; i < capacity; i++) this.#message.copy(this.#bytes, i * this.#message.length);
  }

  /** The messages of entries `index` to `index + count - 1`. Borrowed: valid until the next call. */
  fill(index: number, count: number): Buffer {
    const bytes = this.#bytes;
    const stride = this.#message.length;
    const flags = this.#message.readUInt16LE(6);
    for (let i = 0; i < count; i++) {
      const at = i * stride;
      fillFields(this.#fields, index + i);
      const { client, clientPort, server, public: publicAddress, publicPort } = this.#fields;
      bytes.writeUInt16LE(i === count - 1 ? flags | NLM_F_ACK : flags, at + 6);
      bytes.writeUInt32LE(index + i + 1, at + 8);
      writeTuple(bytes, at, this.#orig, client, clientPort, server, SERVER_PORT);
      if (this.#reply) writeTuple(bytes, at, this.#reply, server, SERVER_PORT, publicAddress, publicPort);
    }
    return bytes.subarray(0, count * stride);
  }
}

interface TupleOffsets {
  readonly src: number;
  readonly dst: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly endOffset: number;
}

type Side = keyof typeof PREFIX6;

function tupleAttribute(type: number, family: 4 | 6, proto: number, src: Side, dst: Side): Buffer {
  const [srcType, dstType] = family === 4 ? [1, 2] : [3, 4];
  return nested(
    type,
    nested(
      CTA_TUPLE.ip,
      attribute(srcType, addressTemplate(family, src)),
      attribute(dstType, addressTemplate(family, dst)),
    ),
    nested(
      CTA_TUPLE.proto,
      attribute(CTA_PROTO.num, u8(proto)),
      attribute(CTA_PROTO.srcPort, be16(0)),
      attribute(CTA_PROTO.dstPort, be16(0)),
    ),
  );
}

function addressTemplate(family: 4 | 6, side: Side): Buffer {
  const bytes = Buffer.alloc(family === 4 ? 4 : 16);
  if (family === 6)
    for (const [i, group] of PREFIX6[side].split(':').entries())
      bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2);
  return bytes;
}

/** Offsets of the fields of the tuple attribute at `at`, as `tupleAttribute` lays it out. */
function tupleOffsets(at: number, family: 4 | 6): TupleOffsets {
  const addressBytes = family === 4 ? 4 : 16;
  const src = at + 4 + 4 + 4;
  const dst = src + addressBytes + 4;
  const srcPort = dst + addressBytes + 4 + 8 + 4;
  const dstPort = srcPort + 8;
  return {
    src: src + addressBytes - 4,
    dst: dst + addressBytes - 4,
    srcPort,
    dstPort,
    endOffset: dstPort + 4,
  };
}

function writeTuple(
  bytes: Buffer,
  at: number,
  offsets: TupleOffsets,
  src: number,
  srcPort: number,
  dst: number,
  dstPort: number,
): void {
  bytes.writeUInt32BE(src, at + offsets.src);
  bytes.writeUInt32BE(dst, at + offsets.dst);
  bytes.writeUInt16BE(srcPort, at + offsets.srcPort);
  bytes.writeUInt16BE(dstPort, at + offsets.dstPort);
}
