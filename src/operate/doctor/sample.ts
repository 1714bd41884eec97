/**
 * Watches a gateway's events without recording them: how many come, how unevenly, and what each costs of the
 * socket buffer. One thread: what is received is looked at and given back at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RECEIVE_EXTRA_BYTES } from '../../base/libc/receive.js';
import { EventSocket } from '../../record/netlink/event-socket.js';
import { RingConsumer } from '../../record/ring/consumer.js';
import { createRing } from '../../record/ring/layout.js';
import { RingProducer } from '../../record/ring/producer.js';
import { RING_SLOT_BYTES } from '../../record/stage/message-ring.js';

export interface SampleOptions {
  readonly forMs: number;
  readonly rcvbufBytes: number;
  readonly protocols: readonly number[] | 'all';
  /** Ends it early. */
  readonly signal?: AbortSignal;
}

/** What was seen. Counts are events (messages) unless a unit is named. */
export interface Sample {
  readonly durationMs: number;
  readonly starts: number;
  readonly ends: number;
  /** Other messages: updates and what cannot be told. */
  readonly others: number;
  readonly lost: number;
  /** Events in each stretch of BUCKET_MS, in order of time. */
  readonly buckets: readonly number[];
  readonly messageBytes: number;
  /**
   * Most bytes of buffer in use at once, of `limitBytes`, and what the kernel granted in the unit of `-b`.
   */
  readonly queueHighWaterBytes: number;
  readonly limitBytes: number;
  readonly rcvbufBytes: number;
  /** Socket buffer that one event took, measured where a drain found several; 0 when none did. */
  readonly eventBufferBytes: number;
}

export const BUCKET_MS = 100;
const NAP_MS = 2;
const IDLE_POLL_MS = 100;
const RING_SLOTS = 4096;
/** From so many events in one drain on, their share of the buffer is told exactly enough. */
const MEASURED_FROM = 16;
const TYPE_OFFSET = 4;
/** IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_DELETE */
const NEW = 0;
const DELETE = 2;

/** Watch for the time given, or until the signal. Rejects with SystemFailure, as a recording would. */
export async function sampleEvents(options: SampleOptions): Promise<Sample> {
  const sampler = new Sampler(options);
  try {
    return await sampler.run();
  } finally {
    sampler.close();
  }
}

class Sampler {
  readonly #ring = createRing({
    slots: RING_SLOTS,
    slotBytes: RING_SLOT_BYTES,
    extraBytes: RECEIVE_EXTRA_BYTES,
  });
  readonly #producer = new RingProducer(this.#ring);
  readonly #consumer = new RingConsumer(this.#ring);
  readonly #socket: EventSocket;
  readonly #buckets: number[] = [];
  #starts = 0;
  #ends = 0;
  #others = 0;
  #messageBytes = 0;
  #queueHighWaterBytes = 0;
  #measuredBytes = 0;
  #measuredEvents = 0;

  constructor(readonly options: SampleOptions) {
    const { rcvbufBytes, protocols } = options;
    this.#socket = EventSocket.open(this.#ring, { rcvbufBytes, protocols });
  }

  async run(): Promise<Sample> {
    const { forMs, signal } = this.options;
    this.#socket.join();
    const beganMs = performance.now();
    for (;;) {
      const elapsedMs = performance.now() - beganMs;
      const isOver = elapsedMs >= forMs || signal?.aborted === true;
      const events = this.#drain();
      const bucket = Math.floor(elapsedMs / BUCKET_MS);
      while (this.#buckets.length <= bucket) this.#buckets.push(0);
      this.#buckets[bucket] += events;
      if (isOver) return this.#sample(elapsedMs);
      if (events > 0) await sleep(NAP_MS);
      else await this.#socket.poll(Math.min(IDLE_POLL_MS, forMs - elapsedMs));
    }
  }

  close(): void {
    this.#socket.close();
  }

  #sample(durationMs: number): Sample {
    const { limitBytes, drops } = this.#socket.memInfo();
    return {
      durationMs,
      starts: this.#starts,
      ends: this.#ends,
      others: this.#others,
      lost: drops,
      buckets: this.#buckets,
      messageBytes: this.#messageBytes,
      queueHighWaterBytes: this.#queueHighWaterBytes,
      limitBytes,
      rcvbufBytes: this.#socket.rcvbufBytes,
      eventBufferBytes:
        this.#measuredEvents === 0 ? 0 : Math.round(this.#measuredBytes / this.#measuredEvents),
    };
  }

  /** Everything that waits; answers how many. */
  #drain(): number {
    const { queuedBytes } = this.#socket.memInfo();
    this.#queueHighWaterBytes = Math.max(this.#queueHighWaterBytes, queuedBytes);
    let events = 0;
    for (;;) {
      const wanted = this.#producer.writable(RING_SLOTS);
      const received = this.#socket.receive(this.#producer, wanted);
      this.#producer.publish(received);
      this.#look(received);
      events += received;
      if (received < wanted) break;
    }
    // Those that came while it was drained were not in the queue yet: over many drains they hardly count.
    if (events >= MEASURED_FROM) {
      this.#measuredBytes += queuedBytes;
      this.#measuredEvents += events;
    }
    return events;
  }

  #look(count: number): void {
    const ring = this.#ring;
    const first = this.#consumer.index;
    for (let slot = first; slot < first + count; slot++) {
      const type = ring.bytes[ring.offsetOf(slot) + TYPE_OFFSET];
      if (type === NEW) this.#starts++;
      else if (type === DELETE) this.#ends++;
      else this.#others++;
      this.#messageBytes += ring.lengthOf(slot);
    }
    this.#consumer.release(count);
  }
}
