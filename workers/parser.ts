/** Thread entry of the parser: wiring only. One endless task, ended by the stop control slot. */
import { Parser } from '../src/record/parser.js';
import type { ParserTask } from '../src/record/parser-task.js';
import { stageFailure } from '../src/record/stage-death.js';
import { MessageSaver } from '../src/replay/save.js';
import { RingConsumer } from '../src/ring/consumer.js';
import { RingMemory } from '../src/ring/layout.js';
import { RingProducer } from '../src/ring/producer.js';

export default function parse(task: ParserTask): void {
  const messages = new RingConsumer(new RingMemory(task.messages));
  const blocks = new RingProducer(new RingMemory(task.blocks));
  let saver: MessageSaver | undefined;
  try {
    if (task.saveMessagesFile !== undefined)
      saver = new MessageSaver(task.saveMessagesFile, task.saveLimitBytes);
    new Parser(messages, blocks, task.options, new Float64Array(task.stats), saver).run();
  } catch (error) {
    messages.fail();
    throw stageFailure(error);
  } finally {
    blocks.close();
    saver?.close();
  }
}
