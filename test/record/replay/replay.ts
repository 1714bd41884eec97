/** A replay into a real ring with a real consumer on a thread of its own, behind a gate. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { RECEIVE_EXTRA_BYTES } from '../../../src/base/libc/receive.js';
import { ReplaySource } from '../../../src/record/replay/source.js';
import { createRing } from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { Control } from '../../../src/record/stage/control.js';
import { RING_SLOT_BYTES } from '../../../src/record/stage/message-ring.js';
import { captureFile, pcap, type TestPacket } from './captures.js';
import type { ConsumerTask, Taken } from './consumer-worker.js';

export interface ReplaySettings {
  readonly slots?: number;
  readonly slotBytes?: number;
  readonly keepDuplicates?: boolean;
}

export class Replay {
  readonly producer: RingProducer;
  readonly #gate = new Int32Array(new SharedArrayBuffer(4));
  readonly #taken: Promise<[Taken[]]>;
  readonly #worker: Worker;

  private constructor(
    readonly source: ReplaySource,
    producer: RingProducer,
  ) {
    this.producer = producer;
    const workerData: ConsumerTask = {
      ring: producer.ring.buffer,
      gate: this.#gate.buffer as SharedArrayBuffer,
    };
    this.#worker = new Worker(new URL('./consumer-worker.js', import.meta.url), { workerData });
    this.#taken = once(this.#worker, 'message') as Promise<[Taken[]]>;
  }

  static async open(
    context: TestContext,
    capture: Uint8Array,
    settings: ReplaySettings = {},
  ): Promise<Replay> {
    const { slots = 64, slotBytes = RING_SLOT_BYTES, keepDuplicates = false } = settings;
    const producer = new RingProducer(createRing({ slots, slotBytes, extraBytes: RECEIVE_EXTRA_BYTES }));
    const source = await ReplaySource.open(captureFile(context, capture), producer, { keepDuplicates });
    const replay = new Replay(source, producer);
    context.after(async () => {
      source.close();
      await replay.#worker.terminate();
    });
    return replay;
  }

  openGate(): void {
    Atomics.store(this.#gate, 0, 1);
    Atomics.notify(this.#gate, 0);
  }

  /** Resolves when the ring is full. */
  async full(): Promise<void> {
    while (this.producer.free() > 0) await sleep(1);
  }

  /** Stop in order, and everything that the consumer took. */
  async end(): Promise<Taken[]> {
    await this.source.stop();
    this.source.control(Control.stop);
    const [taken] = await this.#taken;
    assert.deepEqual(taken.pop(), { control: Control.stop, a: 0 });
    return taken;
  }
}

/** The whole way, with the gate open: what the consumer took, how the replay ended, its statistics. */
export async function replay(
  context: TestContext,
  capture: Uint8Array,
  settings: ReplaySettings = {},
): Promise<{ taken: Taken[]; error: unknown; counts: Record<string, number> }> {
  const one = await Replay.open(context, capture, settings);
  one.openGate();
  const error = await one.source.run().then(
    () => undefined,
    (failure: unknown) => failure,
  );
  const taken = await one.end();
  assert.equal(one.source.counts().received, taken.length);
  assert.equal(one.source.counts().lost, 0);
  return { taken, error, counts: one.source.statistics() };
}

export function asTaken({ timeUs, bytes }: TestPacket): Taken {
  return { timeUs, lengthBytes: bytes.length, bytes: Uint8Array.from(bytes) };
}

/** The replay of a capture gives these, and nothing else; answers its statistics. */
export async function assertReplays(
  context: TestContext,
  packets: readonly TestPacket[],
  expected: readonly TestPacket[],
  settings: ReplaySettings = {},
): Promise<Record<string, number>> {
  const { taken, error, counts } = await replay(context, pcap(packets), settings);
  assert.equal(error, undefined);
  assert.deepEqual(taken, expected.map(asTaken));
  return counts;
}
