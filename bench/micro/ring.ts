/**
 * The ring's own cost per message by batch size, both sides in one thread: publish, look, release. What
 * waking another thread costs comes on top, once a batch.
 */
import { RingConsumer } from '../../src/record/ring/consumer.js';
import { createRing } from '../../src/record/ring/layout.js';
import { RingProducer } from '../../src/record/ring/producer.js';
import type { MicroCase } from './case.js';

const SLOTS = 16_384;
const MESSAGES = 512;
const BATCHES = [1, 8, 64, 512];

export function ringCases(): MicroCase[] {
  return BATCHES.map((size) => {
    const ring = createRing({ slots: SLOTS, slotBytes: 512, extraBytes: 0 });
    const producer = new RingProducer(ring);
    const consumer = new RingConsumer(ring);
    return {
      name: `ring: batches of ${size}`,
      unit: 'message',
      unitsPerRun: MESSAGES,
      run: () => {
        for (let done = 0; done < MESSAGES; done += size) {
          producer.publish(producer.writable(size));
          consumer.release(consumer.readable());
        }
      },
    };
  });
}
