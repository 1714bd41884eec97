/** Thread entry of the writer: wiring only. One endless task, ended by the stop message in the block ring. */

import { RingConsumer } from '../src/record/ring/consumer.js';
import { RingMemory } from '../src/record/ring/layout.js';
import { runStage } from '../src/record/stage/thread.js';
import { LogWriter } from '../src/record/writer/writer.js';
import { WriterLoop } from '../src/record/writer/writer-loop.js';
import type { WriterEvent, WriterTask } from '../src/record/writer/writer-task.js';

export default function write({ ring, snapshots, stats, port, options }: WriterTask): Promise<void> {
  const blocks = new RingConsumer(new RingMemory(ring));
  const tableBlocks = new RingConsumer(new RingMemory(snapshots));
  const counters = new Float64Array(stats);
  return runStage<WriterEvent>(port, async (emit) => {
    try {
      const writer = new LogWriter(options, counters, emit);
      await new WriterLoop(blocks, writer, counters, options, emit, tableBlocks).run();
    } catch (error) {
      blocks.fail();
      throw error;
    }
  });
}
