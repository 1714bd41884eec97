/** Thread entry of the writer: wiring only. One endless task, ended by the stop message in the block ring. */
import { LogWriter } from '../src/log/writer.js';
import { WriterLoop } from '../src/log/writer-loop.js';
import type { WriterEvent, WriterTask } from '../src/log/writer-task.js';
import { stageFailure } from '../src/record/stage-death.js';
import { RingConsumer } from '../src/ring/consumer.js';
import { RingMemory } from '../src/ring/layout.js';

export default async function write({ ring, snapshots, stats, port, options }: WriterTask): Promise<void> {
  const blocks = new RingConsumer(new RingMemory(ring));
  const tableBlocks = new RingConsumer(new RingMemory(snapshots));
  const counters = new Float64Array(stats);
  const emit = (event: WriterEvent) => port.postMessage(event);
  try {
    const writer = new LogWriter(options, counters, emit);
    await new WriterLoop(blocks, writer, counters, options, emit, tableBlocks).run();
  } catch (error) {
    blocks.fail();
    throw stageFailure(error);
  } finally {
    port.close();
  }
}
