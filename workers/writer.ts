/** Thread entry of the writer: wiring only. One endless task, ended by the stop message in the block ring. */
import { LogWriter } from '../src/log/writer.js';
import { WriterLoop } from '../src/log/writer-loop.js';
import type { WriterTask } from '../src/log/writer-task.js';
import { runStage } from '../src/record/stage-thread.js';
import { RingConsumer } from '../src/ring/consumer.js';
import { RingMemory } from '../src/ring/layout.js';

export default function write({ ring, snapshots, stats, port, options }: WriterTask): Promise<void> {
  const blocks = new RingConsumer(new RingMemory(ring));
  const tableBlocks = new RingConsumer(new RingMemory(snapshots));
  const counters = new Float64Array(stats);
  return runStage(port, async (emit) => {
    try {
      const writer = new LogWriter(options, counters, emit);
      await new WriterLoop(blocks, writer, counters, options, emit, tableBlocks).run();
    } catch (error) {
      blocks.fail();
      throw error;
    }
  });
}
