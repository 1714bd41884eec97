/**
 * The floor where there is no C compiler: our own receive path, whose messages are released unseen. As
 * floor.c otherwise.
 */

import { sleepMicroseconds } from '../../src/base/libc/clock.js';
import { RECEIVE_EXTRA_BYTES } from '../../src/base/libc/receive.js';
import { EventSocket } from '../../src/record/netlink/event-socket.js';
import { RingConsumer } from '../../src/record/ring/consumer.js';
import { createRing } from '../../src/record/ring/layout.js';
import { RingProducer } from '../../src/record/ring/producer.js';
import { RING_SLOT_BYTES } from '../../src/record/stage/message-ring.js';

const BATCH_MESSAGES = 1024;
const NAP_US = 2000;
/** Naps block the thread; signals are heard in between. */
const NAPS_IN_A_ROW = 10;

const ring = createRing({
  slots: BATCH_MESSAGES,
  slotBytes: RING_SLOT_BYTES,
  extraBytes: RECEIVE_EXTRA_BYTES,
});
const producer = new RingProducer(ring);
const consumer = new RingConsumer(ring);
const socket = EventSocket.open(ring, { rcvbufBytes: Number(process.argv[2]) * 1024, protocols: 'all' });
socket.join();
let received = 0;

function drain(): void {
  for (;;) {
    const count = socket.receive(producer, BATCH_MESSAGES);
    if (count === 0) return;
    producer.publish(count);
    consumer.release(count);
    received += count;
  }
}

function turn(): void {
  for (let i = 0; i < NAPS_IN_A_ROW; i++) {
    drain();
    sleepMicroseconds(NAP_US);
  }
  setImmediate(turn);
}

function stop(): never {
  drain();
  console.log(`received=${received} dropped=${socket.memInfo().drops}`);
  process.exit(0);
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
turn();
