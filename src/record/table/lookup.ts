/**
 * An entry of the kernel's table, asked for by name. A dump is not atomic, so one that it did not show is
 * asked for before anybody says that it is gone. Table worker's thread.
 */

import { constants } from 'node:os';
import { bindNetlink, closeDescriptor, receiveNetlink, sendNetlink } from '../../base/libc/socket.js';
import { EventBatch, ZoneDirection } from '../../event/batch.js';
import type { OrigTuple } from '../../event/key.js';
import { PortMeaning, portMeaning } from '../../event/protocols.js';
import { createDecodeCounters, decodeEntry } from '../conntrack/decode.js';
import {
  IPCTNL_MSG_CT_GET,
  NFNL_SUBSYS_CTNETLINK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
} from '../netlink/constants.js';
import { openNetfilterSocket, refusal } from '../netlink/netfilter.js';

// include/uapi/linux/netfilter/nfnetlink_conntrack.h
const CTA_TUPLE_ORIG = 1;
const CTA_ZONE = 18;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_TUPLE_ZONE = 3;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const IPPROTO_ICMP = 1;
/** CTA_PROTO_ICMP_ID, _TYPE, _CODE; those of ICMPv6 are three higher. */
const CTA_PROTO_ICMP_ID = 4;

const NLA_F_NESTED = 0x8000;
const HEADER_BYTES = 20;
const REQUEST_BYTES_MAX = 256;
const ANSWER_BYTES = 8192;
const OPERATION = 'ask for conntrack entry';

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
    // The answer to a request that is no dump waits before send returns.
    const length = receiveNetlink(this.#fd, this.#answer, OPERATION);
    if (this.#answerView.getUint16(4, true) === NLMSG_ERROR) {
      const errno = -this.#answerView.getInt32(16, true);
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
    const view = this.#view;
    this.#bytes.fill(0);
    view.setUint16(4, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET, true);
    view.setUint16(6, NLM_F_REQUEST, true);
    view.setUint32(8, ++this.#sequence, true);
    view.setUint8(16, tuple.src.length === 1 ? 2 : 10);
    this.#at = HEADER_BYTES;
    const orig = this.#open(CTA_TUPLE_ORIG);
    this.#addresses(tuple);
    this.#protocol(tuple);
    if (tuple.zoneDirection === ZoneDirection.orig) this.#be16(CTA_TUPLE_ZONE, tuple.zone);
    this.#close(orig);
    if (tuple.zone !== 0 && tuple.zoneDirection === ZoneDirection.both) this.#be16(CTA_ZONE, tuple.zone);
    view.setUint32(0, this.#at, true);
    return this.#bytes.subarray(0, this.#at);
  }

  #addresses({ src, dst }: OrigTuple): void {
    const ip = this.#open(CTA_TUPLE_IP);
    const first = src.length === 1 ? 1 : 3; // CTA_IP_V4_SRC, _DST, CTA_IP_V6_SRC, _DST
    this.#words(first, src);
    this.#words(first + 1, dst);
    this.#close(ip);
  }

  #protocol({ proto, srcPort, dstPort }: OrigTuple): void {
    const nest = this.#open(CTA_TUPLE_PROTO);
    this.#u8(CTA_PROTO_NUM, proto);
    const meaning = portMeaning(proto);
    if (meaning === PortMeaning.icmp) {
      const first = proto === IPPROTO_ICMP ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMP_ID + 3;
      this.#be16(first, srcPort);
      this.#u8(first + 1, dstPort >>> 8);
      this.#u8(first + 2, dstPort & 0xff);
    } else if (meaning !== PortMeaning.none) {
      this.#be16(CTA_PROTO_SRC_PORT, srcPort);
      this.#be16(CTA_PROTO_DST_PORT, dstPort);
    }
    this.#close(nest);
  }

  #open(number: number): number {
    const at = this.#header(number | NLA_F_NESTED, 0);
    return at - 4;
  }

  #close(at: number): void {
    this.#view.setUint16(at, this.#at - at, true);
  }

  #u8(number: number, value: number): void {
    this.#view.setUint8(this.#header(number, 1), value);
  }

  #be16(number: number, value: number): void {
    this.#view.setUint16(this.#header(number, 2), value);
  }

  #words(number: number, words: Uint32Array): void {
    const at = this.#header(number, words.length * 4);
    for (let i = 0; i < words.length; i++) this.#view.setUint32(at + i * 4, words[i]);
  }

  /** Begin an attribute of so many payload bytes; answers where its payload stands. */
  #header(type: number, payloadBytes: number): number {
    const payloadAt = this.#at + 4;
    this.#view.setUint16(this.#at, 4 + payloadBytes, true);
    this.#view.setUint16(this.#at + 2, type, true);
    this.#at = payloadAt + ((payloadBytes + 3) & ~3);
    return payloadAt;
  }
}
