/** A stage's thread: its first and last words, the errors that come from it, and its end at any time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemFailure } from '../../../src/base/errors.js';
import { oneLine } from '../../../src/base/failure.js';
import { Stage } from '../../../src/record/main/worker.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { BlockMessage, createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import type { WriterEvent, WriterTask } from '../../../src/record/writer/writer-task.js';
import { inDirectory, options, START_US } from '../writer/writer-helper.js';

/** A writer that opens its first file when it is up. */
function startWriter(template: string): {
  stage: Stage<WriterEvent>;
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
  const stage = new Stage<WriterEvent>('writer', taskOf, (event) => heard.push(event));
  put(producer, BlockMessage.open);
  return { stage, producer, heard };
}

function put(producer: RingProducer, message: number): void {
  producer.ring.timesUs[producer.index] = START_US;
  producer.ring.describe(producer.index, 0, message);
  producer.publish(1);
}

test('all that a stage said is heard when it is done', () =>
  inDirectory(async (directory) => {
    for (let i = 0; i < 5; i++) {
      const { stage, producer, heard } = startWriter(`${directory}/log-${i}`);
      put(producer, BlockMessage.stop);
      await stage.done;
      assert.deepEqual(
        heard.map(({ type }) => type),
        ['up', 'opened', 'closed'],
      );
      await stage.end();
    }
  }));

test('an error of a stage is still what it was', () =>
  inDirectory(async (directory) => {
    const { stage, heard } = startWriter(`${directory}/${'x'.repeat(300)}`);
    await assert.rejects(stage.done, (error) => {
      assert.ok(error instanceof SystemFailure);
      assert.equal(error.code, 'ENAMETOOLONG');
      assert.match(oneLine(error), /^[a-z]+ \S+: name too long \(ENAMETOOLONG\)$/);
      assert.match(error.stack ?? '', /\n +at /);
      return true;
    });
    assert.deepEqual(heard, [{ type: 'up' }]);
    await stage.end();
  }));

test('a stage that is ended at once has loaded its modules first: else Node 20 may abort', () =>
  inDirectory(async (directory) => {
    const { stage, heard } = startWriter(`${directory}/log`);
    stage.done.catch(() => {});
    await stage.end();
    assert.equal(heard[0]?.type, 'up');
  }));
