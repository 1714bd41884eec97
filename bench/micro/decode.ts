/** Decoding: per kind of message from a real kernel, and the synthetic trace's mixture. */
import { EventBatch } from '../../src/event/batch.js';
import type { MicroCase } from './case.js';
import { BLOCK_EVENTS, kernelMessages, type Messages, traceMessages } from './workload.js';

const MESSAGES = 1024;

export async function decodeCases(): Promise<MicroCase[]> {
  const batch = new EventBatch(BLOCK_EVENTS);
  const decode = (name: string, messages: Messages): MicroCase => ({
    name: `decode: ${name}`,
    unit: 'message',
    unitsPerRun: messages.count,
    run: () => {
      // Emptied as often as when recording, so that its cost is in the number.
      if (batch.count + messages.count > batch.capacity) batch.clear();
      messages.decodeInto(batch);
    },
  });
  const kernel = await kernelMessages(MESSAGES);
  return [
    decode('synthetic trace', traceMessages(MESSAGES)),
    ...[...kernel].map(([name, messages]) => decode(name, messages)),
  ];
}
