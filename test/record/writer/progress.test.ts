import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errnoCode } from '../../../src/base/errors.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { BlockMessage, createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { Progress } from '../../../src/record/writer/progress.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { WriterLoop } from '../../../src/record/writer/writer-loop.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import { complaints, Events, inDirectory, options, put, putBlock, RUN_ID } from './writer-helper.js';

const skip = process.platform === 'linux' ? false : 'needs poll and named pipes';

/** A pipe whose writes wait for its reader, filled to the last byte. */
class FullPipe {
  /** Blocking. */
  readonly fd: number;
  readonly #reader: number;
  readonly #filler: number;

  constructor(directory: string) {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    this.#reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    this.fd = openSync(path, constants.O_WRONLY);
    const filling = Buffer.alloc(4096, '.');
    assert.throws(() => {
      for (;;) writeSync(this.#filler, filling);
    }, /EAGAIN/);
  }

  /** All that is in it, without the filling. */
  read(): string {
    const buffer = Buffer.alloc(4096);
    let text = '';
    try {
      for (;;) text += buffer.toString('latin1', 0, readSync(this.#reader, buffer));
    } catch (error) {
      assert.equal(errnoCode(error), 'EAGAIN');
    }
    return text.replace(/^\.+/, '');
  }

  closeReader(): void {
    closeSync(this.#reader);
  }

  close(): void {
    for (const fd of [this.fd, this.#filler]) closeSync(fd);
  }
}

test(
  'what nobody reads is not waited for: the newest line takes the place of those before it',
  { skip },
  () =>
    inDirectory((directory) => {
      const pipe = new FullPipe(directory);
      const events = new Events();
      const stats = createStats();
      const progress = new Progress(pipe.fd, RUN_ID, stats, events.emit);
      for (let sequence = 1; sequence <= 3; sequence++) {
        stats[WriterStat.durableSequence] = sequence;
        stats[WriterStat.durableEvents] = sequence * 10;
        progress.report();
      }
      assert.equal(pipe.read(), '');
      progress.flush();
      assert.equal(pipe.read(), '{"run":"0123456789abcdef","sequence":3,"events":30}\n');
      progress.flush();
      assert.equal(pipe.read(), '', 'once');
      // Lines that find room are all there, in their order.
      for (let sequence = 4; sequence <= 5; sequence++) {
        stats[WriterStat.durableSequence] = sequence;
        progress.report();
      }
      const lines = pipe.read().trim().split('\n');
      assert.deepEqual(
        lines.map((line) => JSON.parse(line).sequence),
        [4, 5],
      );
      pipe.closeReader();
      progress.report();
      progress.report();
      assert.equal(
        events.logged(/^--progress-fd \d+: EPIPE, no more progress is written$/).length,
        1,
        'said once',
      );
      pipe.close();
    }),
);

test('a writer whose progress nobody reads records and stops all the same', { skip }, () =>
  inDirectory(async (directory) => {
    const pipe = new FullPipe(directory);
    const stats = createStats();
    const ring = createBlockRing();
    const producer = new RingProducer(ring);
    const events = new Events();
    const log = options(join(directory, 'log'), { progressFd: pipe.fd });
    const writer = new LogWriter(log, stats, events.emit);
    put(producer, BlockMessage.open);
    putBlock(producer, 1);
    putBlock(producer, 2);
    put(producer, BlockMessage.stop);
    await new WriterLoop(new RingConsumer(ring), writer, stats, log, events.emit).run();
    assert.equal(stats[WriterStat.durableSequence], 2);
    assert.deepEqual(await complaints(...events.files('closed')), []);
    pipe.closeReader();
    pipe.close();
  }),
);
