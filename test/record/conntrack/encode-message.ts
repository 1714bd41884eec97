/**
 * The decoder's inverse: ctnetlink messages from the same table, `ATTRIBUTES`. A message is a tree of kernel
 * names and values, in the order in which they are written; whatever a test needs to be wrong is given as raw
 * bytes.
 */
import ipaddr from 'ipaddr.js';
import { AF_INET } from '../../../src/event/batch.js';
import { ATTRIBUTES, type Attribute, Context, Field } from '../../../src/record/conntrack/attributes.js';

/**
 * Kernel name with a value: number for u8, be16 and be32, bigint for be64, text for addresses and text,
 * attributes inside for a nested one. Bytes are taken as they are, whatever the attribute; a number instead
 * of a name is an attribute we do not know.
 */
export type Node = readonly [attribute: string | number, value: Value];
export type Value = number | bigint | string | Uint8Array | readonly Node[];

export interface MessageHeader {
  readonly type?: number;
  readonly flags?: number;
  readonly family?: number;
}

export const MSG_CT_NEW = 0x0100;
export const MSG_CT_DELETE = 0x0102;
export const NLM_F_CREATE_EXCL = 0x0600;
const NLA_F_NESTED = 0x8000;
export const HEADER_BYTES = 20;

const declared = new Map(
  ATTRIBUTES.map((attribute) => [`${attribute.context} ${attribute.name}`, attribute]),
);

/** A whole message: struct nlmsghdr, struct nfgenmsg, attributes. Without a header: a new IPv4 entry. */
export function encodeMessage(nodes: readonly Node[], header: MessageHeader = {}): Buffer {
  const { type = MSG_CT_NEW, flags = type === MSG_CT_NEW ? NLM_F_CREATE_EXCL : 0, family = AF_INET } = header;
  const head = Buffer.alloc(HEADER_BYTES);
  const body = encodeAttributes(nodes);
  head.writeUInt32LE(HEADER_BYTES + body.length, 0);
  head.writeUInt16LE(type, 4);
  head.writeUInt16LE(flags, 6);
  head[16] = family;
  return Buffer.concat([head, body]);
}

export function encodeAttributes(nodes: readonly Node[], context: number = Context.message): Buffer {
  return Buffer.concat(nodes.map((node) => encodeNode(node, context)));
}

function encodeNode([name, value]: Node, context: number): Buffer {
  if (typeof name === 'number') return rawAttribute(name, value as Uint8Array);
  const attribute = declared.get(`${context} ${name}`);
  if (attribute === undefined) throw new Error(`encode: no ${name} in context ${context}`);
  const nested = attribute.wire === 'nested' ? NLA_F_NESTED : 0;
  return rawAttribute(attribute.number | nested, encodeValue(attribute, value));
}

/** An attribute of any number and bytes, padded; `lengthBytes` is what its header says. */
export function rawAttribute(type: number, payload: Uint8Array, lengthBytes = 4 + payload.length): Buffer {
  const bytes = Buffer.alloc((4 + payload.length + 3) & ~3);
  bytes.writeUInt16LE(lengthBytes, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(payload, 4);
  return bytes;
}

function encodeValue({ name, wire, field }: Attribute, value: Value): Uint8Array {
  if (value instanceof Uint8Array) return value;
  switch (wire) {
    case 'u8':
      return Uint8Array.of(value as number);
    case 'be16':
      return bigEndian(2, BigInt(value as number));
    case 'be32':
      return bigEndian(4, BigInt(value as number));
    case 'be64':
      return bigEndian(8, value as bigint);
    case 'ipv4':
    case 'ipv6':
      return Uint8Array.from(ipaddr.parse(value as string).toByteArray());
    case 'text':
      return Buffer.from(`${value}\0`, 'latin1');
    case 'nested':
      return encodeAttributes(value as readonly Node[], field - Field.nested);
    case 'bytes':
      throw new Error(`encode: ${name} takes bytes`);
  }
}

function bigEndian(lengthBytes: number, value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes.subarray(8 - lengthBytes);
}
