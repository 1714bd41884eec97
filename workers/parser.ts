/** Thread entry of the parser: wiring only. One endless task, ended by the stop control slot. */
import { Parser } from '../src/record/parser/parser.js';
import type { ParserTask } from '../src/record/parser/parser-task.js';
import { MessageSaver } from '../src/record/replay/save.js';
import { RingConsumer } from '../src/record/ring/consumer.js';
import { RingMemory } from '../src/record/ring/layout.js';
import { RingProducer } from '../src/record/ring/producer.js';
import { runStage } from '../src/record/stage/thread.js';

export default function parse(task: ParserTask): Promise<void> {
  const { options, save } = task;
  const messages = new RingConsumer(new RingMemory(task.messages));
  const blocks = new RingProducer(new RingMemory(task.blocks));
  return runStage(task.port, (emit) => {
    const saver = save && new MessageSaver(save, (message) => emit({ type: 'log', level: 'warn', message }));
    try {
      new Parser(messages, blocks, options, new Float64Array(task.stats), saver).run();
    } catch (error) {
      messages.fail();
      throw error;
    } finally {
      blocks.close();
      saver?.close();
    }
  });
}
