import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { wallClockUs } from '../../../src/base/libc/clock.js';
import { RECEIVE_EXTRA_BYTES } from '../../../src/base/libc/receive.js';
import { Certainty } from '../../../src/event/gap.js';
import { tableUse } from '../../../src/record/conntrack/sysctls.js';
import { EventSocket } from '../../../src/record/netlink/event-socket.js';
import { EventReceiver, type Loss, type ReceiverOptions } from '../../../src/record/netlink/receiver.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { createRing, type RingMemory } from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { CONTROL_FLAG, Control } from '../../../src/record/stage/control.js';
import { inNamespace, SyncInjector } from './in-namespace.js';

interface ControlSeen {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** Messages seen before it. */
  readonly after: number;
}

/** The parser's place: takes from the ring on the same thread, when told to. */
class Taker {
  messages = 0;
  readonly controls: ControlSeen[] = [];
  readonly timesUs: number[] = [];
  readonly #consumer: RingConsumer;

  constructor(readonly ring: RingMemory) {
    this.#consumer = new RingConsumer(ring);
  }

  take(limit = Number.POSITIVE_INFINITY): number {
    let taken = 0;
    while (taken < limit) {
      const count = Math.min(this.#consumer.readable(), limit - taken);
      if (count === 0) break;
      for (let slot = this.#consumer.index; slot < this.#consumer.index + count; slot++) this.#see(slot);
      this.#consumer.release(count);
      taken += count;
    }
    return taken;
  }

  fail(): void {
    this.#consumer.fail();
  }

  #see(slot: number): void {
    const { ring } = this;
    const flags = ring.flagsOf(slot);
    if (flags < CONTROL_FLAG) {
      this.messages++;
      this.timesUs.push(ring.timesUs[slot]);
      return;
    }
    const [a, b, c] = new Float64Array(ring.buffer, ring.offsetOf(slot), 3);
    this.controls.push({ kind: flags - CONTROL_FLAG, a, b, c, after: this.messages });
  }
}

interface Setup {
  readonly receiver: EventReceiver;
  readonly taker: Taker;
  readonly run: Promise<void>;
}

async function withReceiver(
  {
    slots = 16384,
    rcvbufBytes = 8 << 20,
    ...options
  }: ReceiverOptions & { slots?: number; rcvbufBytes?: number },
  use: (setup: Setup) => Promise<void>,
): Promise<void> {
  const ring = createRing({ slots, slotBytes: 512, extraBytes: RECEIVE_EXTRA_BYTES });
  const socket = EventSocket.open(ring, { rcvbufBytes, protocols: 'all' });
  try {
    socket.join();
    const receiver = new EventReceiver(socket, new RingProducer(ring), options);
    const run = receiver.start();
    const taker = new Taker(ring);
    await use({ receiver, taker, run });
    taker.fail(); // also after a failed assertion the loop must end
    await receiver.stop();
    await run;
  } finally {
    socket.close();
  }
}

/** Let the event loop turn until `condition` holds; the test runner's own limit is the time limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}

inNamespace(import.meta.url, () => {
  let injector: SyncInjector;
  before(() => {
    injector = new SyncInjector();
  });
  after(() => injector.close());

  test('everything that is sent arrives, stamped with the time of its drain', () =>
    withReceiver({}, async ({ receiver, taker }) => {
      const beforeUs = wallClockUs();
      for (let first = 0; first < 3000; first += 500) {
        injector.create({ count: 500, first });
        await until(() => taker.take() > 0 && taker.messages === first + 500);
      }
      injector.flush();
      await until(() => taker.take() > 0 && taker.messages === 6000);
      assert.deepEqual(
        taker.timesUs,
        [...taker.timesUs].sort((a, b) => a - b),
      );
      assert.ok(taker.timesUs[0] >= beforeUs && taker.timesUs.at(-1)! <= wallClockUs());
      assert.equal(receiver.totals.receivedMessages, 6000);
      assert.equal(receiver.totals.droppedMessages, 0);
      assert.ok(receiver.totals.queueHighWaterBytes > 0);
      assert.ok(receiver.totals.ringHighWaterSlots > 0);
      assert.deepEqual(taker.controls, []);
    }));

  test('stop drains what the socket holds, waiting for room as long as it takes', () =>
    withReceiver({ slots: 64 }, async ({ receiver, taker, run }) => {
      injector.create({ count: 2000 });
      injector.flush();
      const stopped = receiver.stop();
      injector.create({ count: 10 }); // after the groups were left: not ours
      injector.flush();
      let totals: Awaited<typeof stopped> | undefined;
      stopped.then((answer) => {
        totals = answer;
      });
      await until(() => {
        taker.take(50);
        return totals !== undefined;
      });
      taker.take();
      await run;
      assert.equal(taker.messages, 4000);
      assert.equal(totals!.receivedMessages, 4000);
      assert.equal(totals!.droppedMessages, 0);
      assert.equal(totals!.complete, true);
    }));

  test('what the kernel dropped becomes gaps: received + lost = sent', () =>
    withReceiver({ slots: 64, rcvbufBytes: 64 << 10 }, async ({ receiver, taker, run }) => {
      const beforeUs = wallClockUs();
      // The ring is full and nobody takes: the kernel must drop, again and again.
      for (let round = 0; round < 5; round++) {
        injector.create({ count: 1000 });
        injector.flush();
        taker.take(100);
        await sleep(1);
      }
      const stopped = receiver.stop();
      let done = false;
      stopped.then(() => {
        done = true;
      });
      await until(() => {
        taker.take();
        return done;
      });
      taker.take();
      await run;
      const totals = await stopped;
      const gaps = taker.controls.filter(({ kind }) => kind === Control.gap);
      const lost = gaps.reduce((sum, { a }) => sum + a, 0);
      assert.ok(lost > 0);
      assert.equal(taker.messages + lost, 10_000);
      assert.equal(totals.droppedMessages, lost);
      assert.equal(totals.receivedMessages, taker.messages);
      let previousUs = beforeUs - 1e6;
      for (const { b, c } of gaps) {
        assert.ok(previousUs <= b && b < c && c <= wallClockUs(), `${previousUs} ${b} ${c}`);
        previousUs = c;
      }
    }));

  test('in reliable mode no end is missing, and what was lost is an upper bound until it is switched off', () => {
    const losses: Loss[] = [];
    const onLoss = (loss: Readonly<Loss>) => losses.push({ ...loss });
    return withReceiver({ rcvbufBytes: 64 << 10, onLoss }, async ({ receiver, taker }) => {
      const { socket, totals } = receiver;
      receiver.reliable = true;
      socket.setReliable(true);
      injector.create({ count: 500 });
      injector.flush();
      assert.equal(tableUse().entries, 500, 'the kernel keeps what it could not deliver');
      await until(() => tableUse().entries === 0);
      receiver.reliable = false;
      socket.setReliable(false);
      await until(() => losses.length > 0 && taker.take() === 0);
      const attempts = totals.deliveryFailures;
      assert.ok(taker.messages >= 500 && taker.messages + attempts > 1000);
      assert.equal(totals.droppedMessages, attempts);
      assert.ok(losses.every(({ certainty }) => certainty === Certainty.atMost));
      // Until the next look at the counter it may still have counted attempts.
      injector.create({ count: 1, first: 500 });
      await until(() => taker.take() > 0);
      losses.length = 0;
      const before = taker.messages;
      injector.create({ count: 500 });
      injector.flush();
      await until(() => {
        taker.take();
        return losses.length > 0;
      });
      assert.ok(losses.every(({ certainty }) => certainty === Certainty.exact));
      assert.equal(taker.messages - before + losses.reduce((sum, { lost }) => sum + lost, 0), 1001);
      assert.equal(totals.deliveryFailures, attempts);
    });
  });

  test('what a look tells goes ahead of the messages that are received after it', () => {
    let tell = () => {};
    return withReceiver({ look: () => tell() }, async ({ receiver, taker }) => {
      await until(() => receiver.totals.drains > 0);
      tell = () => {
        receiver.control(Control.repeats, 1);
        tell = () => {};
      };
      await until(() => {
        injector.create({ count: 1 });
        injector.flush();
        return taker.take() > 0 && taker.controls.length > 0;
      });
      assert.deepEqual(taker.controls, [
        { kind: Control.repeats, a: 1, b: 0, c: 0, after: taker.controls[0].after },
      ]);
      assert.equal(taker.controls[0].after % 2, 0, 'ahead of both messages of a round');
    });
  });

  test('after it was abandoned nothing touches the socket any more', () =>
    withReceiver({ slots: 16 }, async ({ receiver, run }) => {
      injector.create({ count: 100 });
      injector.flush();
      const stopped = receiver.stop(); // the ring is full: it waits
      receiver.abandon();
      receiver.socket.close();
      await run;
      assert.equal((await stopped).complete, false);
    }));

  test('control slots keep their place among the messages, also while the ring is full', () =>
    withReceiver({ slots: 100 }, async ({ receiver, taker }) => {
      receiver.control(Control.open, 17);
      injector.create({ count: 50 });
      await until(() => receiver.totals.receivedMessages === 50);
      receiver.control(Control.rotate, 18, 19, 20);
      injector.create({ count: 100, first: 50 });
      await until(() => receiver.totals.receivedMessages === 98);
      receiver.control(Control.flush);
      receiver.control(Control.rotate, 21);
      await until(() => {
        taker.take();
        return taker.messages === 150;
      });
      assert.deepEqual(taker.controls, [
        { kind: Control.open, a: 17, b: 0, c: 0, after: 0 },
        { kind: Control.rotate, a: 18, b: 19, c: 20, after: 50 },
        { kind: Control.flush, a: 0, b: 0, c: 0, after: 98 },
        { kind: Control.rotate, a: 21, b: 0, c: 0, after: 98 },
      ]);
      injector.flush();
    }));

  test('a step of the wall clock against the monotonic clock is told', (t) =>
    withReceiver({}, async ({ receiver, taker }) => {
      await until(() => receiver.totals.drains > 0);
      const now = performance.now.bind(performance);
      // Nobody may step the clock of a shared machine, so the monotonic clock falls back instead.
      t.mock.method(performance, 'now', () => now() - 5000);
      injector.create({ count: 1 }); // an idle receiver looks at the clock when something comes
      await until(() => {
        taker.take();
        return taker.controls.length > 0;
      });
      t.mock.restoreAll();
      injector.flush();
      const [{ kind, a, b }] = taker.controls;
      assert.equal(kind, Control.clockStep);
      assert.ok(Math.abs(a - 5_000_000) < 100_000, `${a}`);
      assert.ok(b <= wallClockUs());
      await until(() => {
        taker.take();
        return taker.controls.length > 1;
      });
      assert.ok(Math.abs(taker.controls[1].a + 5_000_000) < 100_000);
      assert.equal(receiver.totals.clockSteps, 2);
    }));

  test('when the consumer died the loop ends, and stop says that it is not complete', () =>
    withReceiver({ slots: 16 }, async ({ receiver, taker, run }) => {
      injector.create({ count: 100 });
      await until(() => receiver.totals.receivedMessages === 16);
      taker.fail();
      await run;
      assert.equal((await receiver.stop()).complete, false);
      injector.flush();
    }));
});
