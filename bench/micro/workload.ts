/**
 * What the micro-benchmarks work on: messages of the synthetic trace and of a real capture, and a block of
 * decoded events.
 */
import { fileURLToPath } from 'node:url';
import { ByteInput, FileFeed } from '../../src/base/disk/input.js';
import { AF_INET6, EventBatch, RecordKind, TimeSource } from '../../src/event/batch.js';
import { protocolName } from '../../src/event/protocols.js';
import { createDecodeCounters, decodeDatagram } from '../../src/record/conntrack/decode.js';
import { COOKED_HEADER_BYTES } from '../../src/record/replay/cooked.js';
import { PacketReader } from '../../src/record/replay/reader.js';
import { RING_SLOT_BYTES } from '../../src/record/stage/message-ring.js';
import { writeMessage } from '../generate/message.js';
import { generateTrace } from '../generate/trace.js';
import { addToBatch } from '../generate/writers.js';

/** Events in a block while recording. */
export const BLOCK_EVENTS = 16_384;
const KERNEL_CAPTURE = fileURLToPath(new URL('../../../test/fixtures/captures/demo.pcap', import.meta.url));

/** Messages side by side in slots, as in the ring. */
export class Messages {
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;

  constructor(readonly count: number) {
    this.bytes = new Uint8Array(count * RING_SLOT_BYTES);
    this.lengths = new Uint32Array(count);
  }

  /** Decode all of them to the end of the batch, which must have room. */
  decodeInto(batch: EventBatch): void {
    for (let i = 0; i < this.count; i++)
      decodeDatagram(
        this.bytes,
        i * RING_SLOT_BYTES,
        this.lengths[i],
        RING_SLOT_BYTES,
        TIME_US,
        TimeSource.receive,
        batch,
        counters,
      );
  }
}

const TIME_US = 1_790_000_000e6;
const counters = createDecodeCounters();

/**
 * The first messages of the synthetic trace: IPv4, TCP and UDP, starts and ends as they come, without
 * counters and times.
 */
export function traceMessages(count: number): Messages {
  const messages = new Messages(count);
  const view = new DataView(messages.bytes.buffer);
  let i = 0;
  generateTrace({ events: count, rate: 500 }, (event) => {
    messages.lengths[i] = writeMessage(event, view, messages.bytes, i * RING_SLOT_BYTES);
    i++;
  });
  return messages;
}

/**
 * `count` messages of each kind in a capture of a real kernel (Linux 6.18, with counters and timestamps), by
 * a name as in "start tcp IPv4"; where the capture has fewer of a kind they are there several times.
 */
export async function kernelMessages(count: number): Promise<Map<string, Messages>> {
  const found = new Map<string, Uint8Array[]>();
  const one = new Messages(1);
  const batch = new EventBatch(1);
  const input = new ByteInput(new FileFeed(KERNEL_CAPTURE));
  const reader = new PacketReader(input, KERNEL_CAPTURE);
  while (reader.next() || ((await reader.fill()) && reader.next())) {
    const { view, from, capturedBytes } = reader.packet;
    const message = new Uint8Array(view.buffer).slice(from + COOKED_HEADER_BYTES, from + capturedBytes);
    one.bytes.set(message);
    one.lengths[0] = message.length;
    batch.clear();
    one.decodeInto(batch);
    if (batch.count === 0) continue;
    const kind = batch.kind[0] === RecordKind.start ? 'start' : 'end';
    const family = batch.family[0] === AF_INET6 ? 'IPv6' : 'IPv4';
    const name = `${kind} ${protocolName(batch.proto[0])} ${family}`;
    const same = found.get(name);
    if (same === undefined) found.set(name, [message]);
    else same.push(message);
  }
  await input.close();
  return new Map([...found].sort().map(([name, messages]) => [name, repeated(messages, count)]));
}

function repeated(messages: readonly Uint8Array[], count: number): Messages {
  const all = new Messages(count);
  for (let i = 0; i < count; i++) {
    const message = messages[i % messages.length];
    all.bytes.set(message, i * RING_SLOT_BYTES);
    all.lengths[i] = message.length;
  }
  return all;
}

/** A full block of the synthetic trace at 5,000 connections a second. */
export function traceBatch(): EventBatch {
  const batch = new EventBatch(BLOCK_EVENTS);
  generateTrace({ events: BLOCK_EVENTS }, (event) => addToBatch(event, batch));
  return batch;
}
