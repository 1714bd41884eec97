/**
 * An entry of the kernel's table, asked for by name. A dump is not atomic, so one that it did not show is
 * asked for before anybody says that it is gone. Table worker's thread.
 */

import { constants } from 'node:os';
import { bindNetlink, closeDescriptor, receiveNetlink, sendNetlink } from '../../base/libc/socket.js';
import { AF_INET, AF_INET6, EventBatch, ZoneDirection } from '../../event/batch.js';
import type { OrigTuple } from '../../event/key.js';
import { PortMeaning, portMeaning } from '../../event/protocols.js';
import { type Attribute, attributeNamed, Context, typeOf, WIRE_BYTES } from '../conntrack/attributes.js';
import { createDecodeCounters, decodeEntry } from '../conntrack/decode.js';
import { NLMSG_ERROR } from '../netlink/constants.js';
import {
  ATTRIBUTE_HEADER_BYTES,
  ATTRIBUTE_TYPE_OFFSET,
  aligned,
  FIRST_ATTRIBUTE_OFFSET,
  MSG_CT_GET,
  NFGENMSG_FAMILY_OFFSET,
  NLMSG_TYPE_OFFSET,
  NLMSGERR_ERROR_OFFSET,
  writeRequestHeader,
} from '../netlink/message.js';
import { openNetfilterSocket, refusal } from '../netlink/netfilter.js';

const IPPROTO_ICMP = 1;
const REQUEST_BYTES_MAX = 256;
const ANSWER_BYTES = 8192;
const OPERATION = 'ask for conntrack entry';

const CTA_TUPLE_ORIG = attributeNamed(Context.message, 'CTA_TUPLE_ORIG');
const CTA_ZONE = attributeNamed(Context.message, 'CTA_ZONE');
const CTA_TUPLE_IP = attributeNamed(Context.tupleOrig, 'CTA_TUPLE_IP');
const CTA_TUPLE_PROTO = attributeNamed(Context.tupleOrig, 'CTA_TUPLE_PROTO');
const CTA_TUPLE_ZONE = attributeNamed(Context.tupleOrig, 'CTA_TUPLE_ZONE');
const CTA_IP_V4_SRC = attributeNamed(Context.ipOrig, 'CTA_IP_V4_SRC');
const CTA_IP_V4_DST = attributeNamed(Context.ipOrig, 'CTA_IP_V4_DST');
const CTA_IP_V6_SRC = attributeNamed(Context.ipOrig, 'CTA_IP_V6_SRC');
const CTA_IP_V6_DST = attributeNamed(Context.ipOrig, 'CTA_IP_V6_DST');
const CTA_PROTO_NUM = attributeNamed(Context.protoOrig, 'CTA_PROTO_NUM');
const CTA_PROTO_SRC_PORT = attributeNamed(Context.protoOrig, 'CTA_PROTO_SRC_PORT');
const CTA_PROTO_DST_PORT = attributeNamed(Context.protoOrig, 'CTA_PROTO_DST_PORT');
const ICMP = echo('CTA_PROTO_ICMP');
const ICMPV6 = echo('CTA_PROTO_ICMPV6');

function echo(prefix: string) {
  const named = (name: string) => attributeNamed(Context.protoOrig, `${prefix}_${name}`);
  return { id: named('ID'), type: named('TYPE'), code: named('CODE') };
}

export class EntryLookup {
  readonly #fd = openNetfilterSocket();
  readonly #bytes = new Uint8Array(REQUEST_BYTES_MAX);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #answer = new Uint8Array(ANSWER_BYTES);
  readonly #answerView = new DataView(this.#answer.buffer);
  readonly #entry = new EventBatch(1);
  readonly #counters = createDecodeCounters();
  #at = 0;
  #sequence = 0;

  constructor() {
    bindNetlink(this.#fd);
  }

  /**
   * The entry that has this tuple, in one of its directions, as the only row of a batch that is borrowed
   * until the next call; undefined when there is none. Throws SystemFailure.
   */
  find(tuple: OrigTuple): EventBatch | undefined {
    sendNetlink(this.#fd, this.#request(tuple), OPERATION);
    // The answer to a request that is not a dump waits before send returns.
    const length = receiveNetlink(this.#fd, this.#answer, OPERATION);
    if (this.#answerView.getUint16(NLMSG_TYPE_OFFSET, true) === NLMSG_ERROR) {
      const errno = -this.#answerView.getInt32(NLMSGERR_ERROR_OFFSET, true);
      if (errno === constants.errno.ENOENT) return undefined;
      throw refusal(OPERATION, errno);
    }
    this.#entry.clear();
    decodeEntry(this.#answer, 0, length, 0, this.#entry, this.#counters);
    return this.#entry;
  }

  close(): void {
    closeDescriptor(this.#fd);
  }

  #request(tuple: OrigTuple): Uint8Array {
    const { zone, zoneDirection } = tuple;
    this.#bytes.fill(0);
    this.#view.setUint8(NFGENMSG_FAMILY_OFFSET, tuple.src.length === 1 ? AF_INET : AF_INET6);
    this.#at = FIRST_ATTRIBUTE_OFFSET;
    const orig = this.#open(CTA_TUPLE_ORIG);
    this.#addresses(tuple);
    this.#protocol(tuple);
    if (zoneDirection === ZoneDirection.orig) this.#number(CTA_TUPLE_ZONE, zone);
    this.#close(orig);
    if (zone !== 0 && zoneDirection === ZoneDirection.both) this.#number(CTA_ZONE, zone);
    writeRequestHeader(this.#view, this.#at, MSG_CT_GET, 0, ++this.#sequence);
    return this.#bytes.subarray(0, this.#at);
  }

  #addresses({ src, dst }: OrigTuple): void {
    const ip = this.#open(CTA_TUPLE_IP);
    const isIpv4 = src.length === 1;
    this.#address(isIpv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, src);
    this.#address(isIpv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, dst);
    this.#close(ip);
  }

  #protocol({ proto, srcPort, dstPort }: OrigTuple): void {
    const nest = this.#open(CTA_TUPLE_PROTO);
    this.#number(CTA_PROTO_NUM, proto);
    const meaning = portMeaning(proto);
    if (meaning === PortMeaning.icmp) {
      const { id, type, code } = proto === IPPROTO_ICMP ? ICMP : ICMPV6;
      this.#number(id, srcPort);
      this.#number(type, dstPort >>> 8);
      this.#number(code, dstPort & 0xff);
    } else if (meaning !== PortMeaning.none) {
      this.#number(CTA_PROTO_SRC_PORT, srcPort);
      this.#number(CTA_PROTO_DST_PORT, dstPort);
    }
    this.#close(nest);
  }

  /** Begin an attribute that holds others; answers its place, for `close`. */
  #open(attribute: Attribute): number {
    return this.#header(attribute) - ATTRIBUTE_HEADER_BYTES;
  }

  #close(at: number): void {
    this.#view.setUint16(at, this.#at - at, true);
  }

  /** A u8 or be16. */
  #number(attribute: Attribute, value: number): void {
    const at = this.#header(attribute);
    if (attribute.wire === 'u8') this.#view.setUint8(at, value);
    else this.#view.setUint16(at, value);
  }

  #address(attribute: Attribute, words: Uint32Array): void {
    const at = this.#header(attribute);
    for (let i = 0; i < words.length; i++) this.#view.setUint32(at + i * 4, words[i]);
  }

  /** Begin an attribute and leave room for its value; answers where that stands. */
  #header(attribute: Attribute): number {
    const valueBytes = WIRE_BYTES[attribute.wire];
    const valueAt = this.#at + ATTRIBUTE_HEADER_BYTES;
    this.#view.setUint16(this.#at, ATTRIBUTE_HEADER_BYTES + valueBytes, true);
    this.#view.setUint16(this.#at + ATTRIBUTE_TYPE_OFFSET, typeOf(attribute), true);
    this.#at = valueAt + aligned(valueBytes);
    return valueAt;
  }
}
