/**
 * A trace as rows of a batch, as a file of the ancestor's format 2, or as a capture of an nlmon interface.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import {
  AF_INET,
  Column,
  type EventBatch,
  RecordFlag,
  RecordKind,
  TimeSource,
} from '../../src/event/batch.js';
import { COOKED_HEADER_BYTES, writeCookedHeader } from '../../src/record/replay/cooked.js';
import { LINKTYPE_NETLINK } from '../../src/record/replay/packet.js';
import {
  PCAP_HEADER_BYTES,
  PCAP_PACKET_HEADER_BYTES,
  writePcapHeader,
  writePcapPacketHeader,
} from '../../src/record/replay/pcap.js';
import { MESSAGE_BYTES_MAX, writeMessage } from './message.js';
import type { TraceEvent } from './trace.js';

const IPS_SEEN_REPLY = 2;

/** Append the event to the batch, which must have room. */
export function addToBatch(event: TraceEvent, batch: EventBatch): void {
  const row = batch.count++;
  batch.kind[row] = event.kind;
  batch.flags[row] = event.status & IPS_SEEN_REPLY ? RecordFlag.replied : 0;
  batch.timeUs[row] = event.timeUs;
  batch.timeSource[row] = TimeSource.capture;
  batch.family[row] = AF_INET;
  batch.proto[row] = event.proto;
  batch.origSrc[row] = batch.addresses4.intern(event.origSrc);
  batch.origDst[row] = batch.addresses4.intern(event.origDst);
  batch.replySrc[row] = batch.origDst[row];
  batch.replyDst[row] = batch.addresses4.intern(event.replyDst);
  batch.origSrcPort[row] = event.origSrcPort;
  batch.origDstPort[row] = event.origDstPort;
  batch.replySrcPort[row] = event.origDstPort;
  batch.replyDstPort[row] = event.replyDstPort;
  batch.status[row] = event.status;
  batch.tcpState[row] = event.tcpState === 0 ? 0 : event.tcpState + 1;
  batch.present |= Column.status | Column.tcpState;
}

/** Takes events one by one. */
export interface TraceWriter {
  write(event: TraceEvent): void;
  close(): void;
}

const BUFFER_BYTES = 1024 * 1024;

/** A file written through one large buffer. It overwrites what is there. */
class BufferedFile {
  readonly bytes = new Uint8Array(BUFFER_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  readonly #fd: number;
  used = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  /** Where `bytes` more can be written. */
  room(bytes: number): number {
    if (this.used + bytes > BUFFER_BYTES) this.#flush();
    return this.used;
  }

  close(): void {
    this.#flush();
    closeSync(this.#fd);
  }

  #flush(): void {
    for (let from = 0; from < this.used; ) from += writeSync(this.#fd, this.bytes, from, this.used - from);
    this.used = 0;
  }
}

const LEGACY_HEADER_BYTES = 256;
const LEGACY_ENTRY_BYTES = 33;
const LEGACY_CONNECTION_BYTES = 40;
/** The flag of a squeezed file as a little-endian machine wrote it. */
const LEGACY_SQUEEZED = 0x00010000;
/** Bit 2 of an entry's type. */
const LEGACY_REPLIED = 4;

/**
 * The ancestor's format 2. It has one protocol per file; the entries do not say theirs, so a mixed trace
 * names the first one.
 */
export class LegacyWriter implements TraceWriter {
  readonly #file: BufferedFile;
  #begun = false;

  constructor(path: string) {
    this.#file = new BufferedFile(path);
  }

  write(event: TraceEvent): void {
    if (!this.#begun) this.#begin(event);
    const file = this.#file;
    const at = file.room(LEGACY_ENTRY_BYTES);
    const { view } = file;
    view.setUint8(at, event.kind | (event.status & IPS_SEEN_REPLY ? LEGACY_REPLIED : 0));
    view.setUint32(at + 1, Math.floor(event.timeUs / 1e6));
    view.setUint32(at + 5, event.timeUs % 1e6);
    writeLegacyEndpoints(view, at + 9, event);
    file.used += LEGACY_ENTRY_BYTES;
  }

  close(): void {
    this.#file.close();
  }

  #begin(event: TraceEvent): void {
    this.#begun = true;
    writeLegacyHeader(this.#file, event, false);
  }
}

/**
 * What the ancestor's -S makes of it: a connection per end whose start is in the trace, in the order of the
 * ends.
 */
export class LegacySqueezedWriter implements TraceWriter {
  connections = 0;
  readonly #file: BufferedFile;

  constructor(path: string) {
    this.#file = new BufferedFile(path);
  }

  write(event: TraceEvent): void {
    if (event.kind !== RecordKind.end) return;
    if (this.connections++ === 0) writeLegacyHeader(this.#file, event, true);
    const file = this.#file;
    const at = file.room(LEGACY_CONNECTION_BYTES);
    const { view } = file;
    view.setUint32(at, Math.floor(event.startUs / 1e6));
    view.setUint32(at + 4, event.startUs % 1e6);
    view.setUint32(at + 8, Math.floor(event.timeUs / 1e6));
    view.setUint32(at + 12, event.timeUs % 1e6);
    writeLegacyEndpoints(view, at + 16, event);
    file.used += LEGACY_CONNECTION_BYTES;
  }

  close(): void {
    this.#file.close();
  }
}

function writeLegacyEndpoints(view: DataView, at: number, event: TraceEvent): void {
  view.setUint32(at, event.origSrc);
  view.setUint16(at + 4, event.origSrcPort);
  view.setUint32(at + 6, event.origDst);
  view.setUint16(at + 10, event.origDstPort);
  view.setUint32(at + 12, event.origDst);
  view.setUint16(at + 16, event.origDstPort);
  view.setUint32(at + 18, event.replyDst);
  view.setUint16(at + 22, event.replyDstPort);
}

function writeLegacyHeader(file: BufferedFile, event: TraceEvent, squeezed: boolean): void {
  const { bytes, view } = file;
  view.setUint32(0, 0x43544e4c);
  view.setUint32(4, 2);
  view.setUint16(8, LEGACY_HEADER_BYTES);
  view.setUint16(10, LEGACY_ENTRY_BYTES);
  view.setUint32(14, squeezed ? LEGACY_SQUEEZED : 0);
  view.setUint8(18, event.proto);
  new TextEncoder().encodeInto('gateway', bytes.subarray(19));
  const seconds = Math.floor(event.timeUs / 1e6);
  view.setUint32(52, seconds);
  view.setUint32(56, event.timeUs % 1e6);
  const start = new Date(seconds * 1000);
  view.setUint16(80, start.getUTCFullYear() - 1900);
  bytes.set([start.getUTCMonth(), start.getUTCDate()], 82);
  bytes.set([start.getUTCHours(), start.getUTCMinutes(), start.getUTCSeconds()], 84);
  file.used = LEGACY_HEADER_BYTES;
}

/** Room that a packet of a capture needs. */
export const PACKET_BYTES_MAX = PCAP_PACKET_HEADER_BYTES + COOKED_HEADER_BYTES + MESSAGE_BYTES_MAX;

/** The event as a packet of a capture at `at`; answers its length. */
export function writePacket(event: TraceEvent, view: DataView, bytes: Uint8Array, at: number): number {
  const packet = at + PCAP_PACKET_HEADER_BYTES;
  writeCookedHeader(bytes, packet);
  const packetBytes = COOKED_HEADER_BYTES + writeMessage(event, view, bytes, packet + COOKED_HEADER_BYTES);
  writePcapPacketHeader(view, at, event.timeUs, packetBytes, packetBytes);
  return PCAP_PACKET_HEADER_BYTES + packetBytes;
}

/** A capture as `tcpdump -i nlmon0` writes it (pcap, nanoseconds): what `--replay` reads. */
export class CaptureWriter implements TraceWriter {
  readonly #file: BufferedFile;

  constructor(path: string) {
    this.#file = new BufferedFile(path);
    writePcapHeader(this.#file.view, 65536, LINKTYPE_NETLINK);
    this.#file.used = PCAP_HEADER_BYTES;
  }

  write(event: TraceEvent): void {
    const file = this.#file;
    const at = file.room(PACKET_BYTES_MAX);
    file.used += writePacket(event, file.view, file.bytes, at);
  }

  close(): void {
    this.#file.close();
  }
}
