/**
 * The messages of a capture that a recorder would have received: conntrack's NEW and DESTROY events, each
 * once. Main thread, per message: no object and no closure here.
 */
import { NETLINK_NETFILTER, NLM_F_MULTI, NLM_F_REQUEST } from '../netlink/constants.js';
import {
  MSG_CT_DELETE,
  MSG_CT_NEW,
  NLM_F_NEW_ENTRY,
  NLMSG_FLAGS_OFFSET,
  NLMSG_HEADER_BYTES,
  NLMSG_LENGTH_OFFSET,
  NLMSG_TYPE_OFFSET,
} from '../netlink/message.js';
import { COOKED_HEADER_BYTES, familyAt, PacketType, packetTypeAt } from './cooked.js';
import { badCapture } from './packet.js';
import type { PacketReader } from './reader.js';

export class MessageReader {
  /**
   * The message that `next` found is [from, from + lengthBytes) of the packet's view; valid until `next` or
   * `fill` is called.
   */
  from = 0;
  lengthBytes = 0;
  /** What else the capture holds; plain counts. */
  readonly counts = {
    packets: 0,
    /** Packets shorter than they were on the link: the capture was made with a snap length. */
    cut: 0,
    otherFamily: 0,
    toKernel: 0,
    /** Packets that are a copy of the one before. */
    duplicates: 0,
    dumpReplies: 0,
    updates: 0,
    otherTypes: 0,
    malformed: 0,
  };
  /** Messages of the packet that are still to be looked at. */
  #at = 0;
  #end = 0;
  /** Whether none of this packet's messages has counted yet. */
  #fresh = false;
  /** The last packet that held an event: [keptFrom, keptFrom + keptBytes) of `kept`. */
  #kept: DataView = new DataView(new ArrayBuffer(0));
  #keptFrom = 0;
  #keptBytes = 0;

  constructor(
    readonly packets: PacketReader,
    readonly keepDuplicates: boolean,
  ) {}

  /** Read as far as the first packet. Rejects as PacketReader does. */
  async open(): Promise<void> {
    while (!this.packets.next()) if (!(await this.packets.fill())) return;
    this.#enter();
  }

  /**
   * Go to the next message at hand; false when bytes must be read first (`fill`). Throws as PacketReader
   * does.
   */
  next(): boolean {
    while (!this.#nextInPacket()) {
      if (!this.packets.next()) return false;
      this.#enter();
    }
    return true;
  }

  /** Read on; false at the end. Rejects as PacketReader does. */
  fill(): Promise<boolean> {
    // Its place may be read over.
    this.#kept = new DataView(this.#kept.buffer.slice(this.#keptFrom, this.#keptFrom + this.#keptBytes));
    this.#keptFrom = 0;
    return this.packets.fill();
  }

  /** Only packets of NETLINK_NETFILTER on their way to user space are looked into. */
  #enter(): void {
    const { counts } = this;
    const { view, from, capturedBytes, realBytes } = this.packets.packet;
    this.#end = 0;
    counts.packets++;
    if (realBytes > capturedBytes) counts.cut++;
    if (capturedBytes < COOKED_HEADER_BYTES + NLMSG_HEADER_BYTES) counts.malformed++;
    else if (familyAt(view, from) !== NETLINK_NETFILTER) counts.otherFamily++;
    else if (packetTypeAt(view, from) === PacketType.toKernel) counts.toKernel++;
    else {
      this.#at = from + COOKED_HEADER_BYTES;
      this.#end = from + capturedBytes;
      this.#fresh = true;
      this.#checkByteOrder(view, realBytes - COOKED_HEADER_BYTES);
    }
  }

  #nextInPacket(): boolean {
    const { view } = this.packets.packet;
    while (this.#end - this.#at >= NLMSG_HEADER_BYTES) {
      const at = this.#at;
      const messageBytes = view.getUint32(at + NLMSG_LENGTH_OFFSET, true);
      if (messageBytes < NLMSG_HEADER_BYTES) {
        // Nothing says where the next one starts.
        this.counts.malformed++;
        break;
      }
      // Not `aligned`: a length in a capture may be any u32.
      this.#at = at + messageBytes + (-messageBytes & 3);
      const type = view.getUint16(at + NLMSG_TYPE_OFFSET, true);
      if (!this.#isEvent(type, view.getUint16(at + NLMSG_FLAGS_OFFSET, true))) continue;
      if (this.#fresh && this.#isRepeated(view)) break;
      this.#fresh = false;
      this.from = at;
      this.lengthBytes = Math.min(messageBytes, this.#end - at);
      return true;
    }
    this.#end = 0;
    return false;
  }

  #isEvent(type: number, flags: number): boolean {
    const { counts } = this;
    if ((flags & NLM_F_REQUEST) !== 0) counts.toKernel++;
    else if ((flags & NLM_F_MULTI) !== 0) counts.dumpReplies++;
    else if (type === MSG_CT_DELETE) return true;
    else if (type !== MSG_CT_NEW) counts.otherTypes++;
    else if ((flags & NLM_F_NEW_ENTRY) === NLM_F_NEW_ENTRY) return true;
    else counts.updates++;
    return false;
  }

  /**
   * nlmon sees a multicast once per listener, one copy right after the other; whatever else the kernel sends
   * meanwhile (other families, updates, answers) may stand between them. Two events that only look alike
   * always have another of their connection between them.
   */
  #isRepeated(view: DataView): boolean {
    if (this.keepDuplicates) return false;
    const from = this.packets.packet.from + COOKED_HEADER_BYTES;
    const lengthBytes = this.#end - from;
    if (lengthBytes === this.#keptBytes && equals(view, from, this.#kept, this.#keptFrom, lengthBytes)) {
      this.counts.duplicates++;
      return true;
    }
    this.#kept = view;
    this.#keptFrom = from;
    this.#keptBytes = lengthBytes;
    return false;
  }

  /** Headers are in the order of the machine that made the capture. */
  #checkByteOrder(view: DataView, realBytes: number): void {
    if (view.getUint32(this.#at, true) <= realBytes) return;
    const swapped = view.getUint32(this.#at, false);
    if (swapped < NLMSG_HEADER_BYTES || swapped > realBytes) return;
    const { file } = this.packets;
    throw badCapture(file, 0, 'comes from a big-endian machine; its messages cannot be read here');
  }
}

function equals(a: DataView, fromA: number, b: DataView, fromB: number, lengthBytes: number): boolean {
  for (let i = 0; i < lengthBytes; i++) if (a.getUint8(fromA + i) !== b.getUint8(fromB + i)) return false;
  return true;
}
