/** The real writer worker, fed by a test in place of the parser. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { BlockMessage, createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import type { WriterEvent, WriterOptions, WriterTask } from '../../../src/record/writer/writer-task.js';
import { Events, options, put, putBlock, START_US } from './writer-helper.js';

export class WriterThread {
  readonly events = new Events();
  readonly stats = createStats();
  readonly #producer: RingProducer;
  readonly #pool: Piscina;
  readonly #running: Promise<void>;
  readonly #died: Promise<never>;
  readonly #port: MessagePort;
  /** The last block that was put into the ring. */
  last = 0;

  private constructor(template: string, more: Partial<WriterOptions>) {
    const ring = createBlockRing();
    this.#producer = new RingProducer(ring);
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (event: WriterEvent) => this.events.emit(event));
    this.#port = port1;
    const filename = new URL('../../../workers/writer.js', import.meta.url).href;
    this.#pool = new Piscina({ filename, minThreads: 1, maxThreads: 1 });
    const stats = this.stats.buffer as SharedArrayBuffer;
    const task: WriterTask = {
      ring: ring.buffer,
      snapshots: createBlockRing().buffer,
      stats,
      port: port2,
      options: options(template, more),
    };
    this.#running = this.#pool.run(task, { transferList: [port2] });
    this.#died = this.#running.then(() => Promise.reject(new Error('the writer ended')));
    this.#died.catch(() => {}); // whoever waits for something is told
  }

  /** Run with a writer whose first file is opened at START_US; it is ended afterwards, whatever happens. */
  static async with(
    template: string,
    more: Partial<WriterOptions>,
    use: (writer: WriterThread) => Promise<void>,
  ): Promise<void> {
    const writer = new WriterThread(template, more);
    try {
      put(writer.#producer, BlockMessage.open, START_US);
      await use(writer);
    } finally {
      writer.#port.close();
      await writer.#pool.destroy();
    }
  }

  get hasRoom(): boolean {
    return this.#producer.free() > 0;
  }

  get durableEvents(): number {
    return this.stats[WriterStat.durableEvents];
  }

  /** The next block. There must be room. */
  put(rows: number): void {
    putBlock(this.#producer, ++this.last, rows);
  }

  /** Blocks until the condition holds, as fast as they are taken. */
  async putUntil(condition: () => boolean, rows: number): Promise<void> {
    while (!condition()) {
      if (this.hasRoom) this.put(rows);
      else await this.#turn();
    }
  }

  async tell(message: number, timeUs = START_US): Promise<void> {
    await this.until(() => this.hasRoom);
    put(this.#producer, message, timeUs);
  }

  /** Wait for a condition. Rejects when the writer dies before. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#turn();
  }

  /** Stop, and have all its events. */
  async stop(): Promise<void> {
    await this.tell(BlockMessage.stop);
    await this.#running;
    for (
      let next = receiveMessageOnPort(this.#port);
      next !== undefined;
      next = receiveMessageOnPort(this.#port)
    )
      this.events.emit(next.message as WriterEvent);
  }

  async #turn(): Promise<void> {
    await Promise.race([sleep(1), this.#died]);
  }
}
