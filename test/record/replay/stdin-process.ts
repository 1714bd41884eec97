/**
 * Replays standard input into a ring that nobody takes from, and tells its parent how many messages are
 * published, as they are.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RECEIVE_EXTRA_BYTES } from '../../../src/base/libc/receive.js';
import { ReplaySource } from '../../../src/record/replay/source.js';
import { createRing } from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { RING_SLOT_BYTES } from '../../../src/record/stage/message-ring.js';

const sizes = { slots: 1024, slotBytes: RING_SLOT_BYTES, extraBytes: RECEIVE_EXTRA_BYTES };
const producer = new RingProducer(createRing(sizes));
const source = await ReplaySource.open('-', producer, { keepDuplicates: false });
let told = 0;
let ended = false;
const running = source.run().finally(() => {
  ended = true;
});
while (!ended) {
  tell();
  await sleep(1);
}
await running;
tell();
source.close();
process.disconnect();

function tell(): void {
  if (producer.used() === told) return;
  told = producer.used();
  process.send?.(told);
}
