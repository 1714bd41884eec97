/** A stage's thread: its first and last words, the errors that come from it, and its end at any time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemFailure } from '../../../src/base/errors.js';
import { oneLine } from '../../../src/base/failure.js';
import { WorkerThread } from '../../../src/record/main/worker.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { BlockMessage, createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import type { WriterEvent, WriterTask } from '../../../src/record/writer/writer-task.js';
import { inDirectory, options, START_US } from '../writer/writer-helper.js';

/** A writer that opens its first file when it is up. */
function startWriter(template: string): {
  thread: WorkerThread<WriterEvent>;
  producer: RingProducer;
  heard: WriterEvent[];
} {
  const ring = createBlockRing();
  const producer = new RingProducer(ring);
  const heard: WriterEvent[] = [];
  const taskOf = (port: WriterTask['port']): WriterTask => ({
    ring: ring.buffer,
    snapshots: createBlockRing().buffer,
    stats: createStats().buffer as SharedArrayBuffer,
    port,
    options: options(template),
  });
  const thread = new WorkerThread<WriterEvent>('writer', taskOf, (event) => heard.push(event));
  thread.start();
  put(producer, BlockMessage.open);
  return { thread, producer, heard };
}

function put(producer: RingProducer, message: number): void {
  producer.ring.timesUs[producer.index] = START_US;
  producer.ring.describe(producer.index, 0, message);
  producer.publish(1);
}

test('all that a stage said is heard when it is done', () =>
  inDirectory(async (directory) => {
    for (let i = 0; i < 5; i++) {
      const { thread, producer, heard } = startWriter(`${directory}/log-${i}`);
      put(producer, BlockMessage.stop);
      await thread.done;
      assert.deepEqual(
        heard.map(({ type }) => type),
        ['up', 'opened', 'closed'],
      );
      await thread.end();
    }
  }));

test('an error of a stage is still what it was', () =>
  inDirectory(async (directory) => {
    const { thread, heard } = startWriter(`${directory}/${'x'.repeat(300)}`);
    await assert.rejects(thread.done, (error) => {
      assert.ok(error instanceof SystemFailure);
      assert.equal(error.code, 'ENAMETOOLONG');
      assert.match(oneLine(error), /^[a-z]+ \S+: name too long \(ENAMETOOLONG\)$/);
      assert.match(error.stack ?? '', /\n +at /);
      return true;
    });
    assert.deepEqual(heard, [{ type: 'up' }]);
    await thread.end();
  }));

test('a stage that is ended at once has loaded its modules first: else Node 20 may abort', () =>
  inDirectory(async (directory) => {
    const { thread, heard } = startWriter(`${directory}/log`);
    thread.done.catch(() => {});
    await thread.end();
    assert.equal(heard[0]?.type, 'up');
  }));
