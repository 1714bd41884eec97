/**
 * All stages of one recording. The order of the start matters for the rights (DESIGN.md section 10): worker threads and libuv's
 * pool first, then the socket, then the switch of the user; the first file is opened after it and belongs to that user.
 */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Logger } from 'pino';
import { Piscina } from 'piscina';
import { setPriority } from '../daemon/priority.js';
import { reduceRights } from '../daemon/rights.js';
import { DamageError } from '../errors.js';
import { Certainty, LossCause } from '../log/gap.js';
import { checkTemplate } from '../log/names.js';
import { diskState, WriterStat } from '../log/writer-stats.js';
import type { WriterEvent, WriterTask } from '../log/writer-task.js';
import { RECEIVE_EXTRA_BYTES } from '../netlink/libc.js';
import { localZone } from '../query/time.js';
import { ReplaySource } from '../replay/source.js';
import { createRing } from '../ring/layout.js';
import { RingProducer } from '../ring/producer.js';
import { recorderName } from '../version.js';
import { createBlockRing } from './blocks.js';
import { Control } from './control.js';
import { KernelSource } from './kernel-source.js';
import { RECEIVE_BATCH_MESSAGES, type RecorderOptions, RING_SLOT_BYTES } from './options.js';
import type { ParserTask } from './parser-task.js';
import type { ReadyInfo, RecordSummary } from './recorder.js';
import type { MessageSource } from './source.js';
import { createStats, ParserStat } from './stats.js';

const REMOVAL_REASONS = {
  age: 'older than --keep-days',
  bytes: 'more than --keep-bytes',
  'disk full': 'the disk is full',
} as const;

export class Pipeline {
  readonly #options: RecorderOptions;
  readonly #log: Logger;
  readonly #replay: boolean;
  readonly #runId = randomBytes(8).readBigUInt64LE();
  readonly #messages: RingProducer;
  readonly #blocks = createBlockRing();
  readonly #parserStats = createStats();
  readonly #writerStats = createStats();
  readonly #pools: Piscina[] = [];
  readonly #port: MessagePort;
  readonly #firstFile: Promise<string>;
  /** Resolves when both workers ended properly, rejects when one died. */
  readonly #stages: Promise<unknown>;
  readonly #stopAsked: Promise<void>;
  #askStop!: () => void;
  #source: MessageSource | undefined;

  constructor(options: RecorderOptions, log: Logger) {
    localZone(); // says what is wrong with TZ, and the workers take it from here
    checkTemplate(options.fileTemplate);
    this.#options = options;
    this.#log = log;
    this.#replay = options.replayFile !== undefined;
    this.#messages = new RingProducer(createRing(this.#ringSizes()));
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#firstFile = this.#listen(port1);
    this.#stages = Promise.all([
      this.#startStage('writer', this.#writerTask(port2), [port2]),
      this.#startStage('parser', this.#parserTask(), []),
    ]);
    this.#stages.catch(() => {}); // whoever waits for something else races with it
    this.#stopAsked = new Promise((resolve) => {
      this.#askStop = resolve;
    });
  }

  /** Open the source and the first file. Rejects with one line and leaves nothing running. */
  async open(): Promise<ReadyInfo> {
    try {
      await stat('/'); // starts libuv's pool, whose threads then lose their rights with the others
      const source = await this.#openSource();
      this.#source = source;
      if (this.#options.nice !== undefined) setPriority(this.#options.nice);
      if (!this.#replay) this.#reduceRights();
      source.control(Control.open, Date.now() * 1000);
      // A replay's first file is opened by its first message.
      const file = this.#replay ? '' : await this.#orDeath(this.#firstFile);
      return { file, rcvbufBytes: source.rcvbufBytes, ringSlots: this.#messages.ring.slots };
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  /** Until stopped, the end of a replay, or the death of a stage. A damaged capture is told after all before it is saved. */
  async run(): Promise<RecordSummary> {
    const source = this.#source!;
    try {
      let damage: DamageError | undefined;
      const running = source.run().catch((error) => {
        if (!(error instanceof DamageError)) throw error;
        damage = error;
        source.control(Control.gap, 0, 0, 0, LossCause.damagedCapture, Certainty.unknown);
      });
      await this.#orDeath(Promise.race([running, this.#stopAsked]));
      const stopped = this.#stopInOrder(source).then(() => '');
      const unsaved = await this.#orDeath(Promise.race([stopped, this.#tooLate()]));
      if (damage !== undefined) throw damage;
      return this.#summary(unsaved);
    } finally {
      await this.#end();
    }
  }

  rotate(): void {
    this.#source?.control(Control.rotate, Date.now() * 1000);
  }

  flush(): void {
    // While the disk keeps the writer waiting no answer comes: what is known is said at once.
    if (diskState(this.#writerStats) !== '') this.#logStatistics();
    this.#source?.control(Control.flush);
  }

  stop(): void {
    this.#askStop();
  }

  async #stopInOrder(source: MessageSource): Promise<void> {
    await source.stop();
    source.control(Control.stop);
    await this.#stages;
  }

  async #tooLate(): Promise<string> {
    await sleep(this.#options.stopTimeoutMs, undefined, { ref: false });
    const waiting = this.#messages.used();
    const recorded = this.#parserStats[ParserStat.recorded];
    const durable = this.#writerStats[WriterStat.durableEvents];
    return `${recorded - durable} events in blocks and ${waiting} messages in the ring were not saved within --stop-timeout`;
  }

  async #openSource(): Promise<MessageSource> {
    const { replayFile, keepDuplicates } = this.#options;
    if (replayFile === undefined) {
      const diskIsSlow = () => this.#parserStats[ParserStat.waitingForWriter] === 1;
      return new KernelSource(this.#options, this.#messages, this.#log, diskIsSlow);
    }
    return ReplaySource.open(replayFile, this.#messages, { keepDuplicates });
  }

  #reduceRights(): void {
    const { user, group } = this.#options;
    if (user === undefined && group === undefined)
      this.#log.info('running with the rights it was started with; -U USER reduces them');
    else reduceRights(user, group);
  }

  #ringSizes() {
    const { ringSlots } = this.#options;
    const slots = Math.max(ringSlots, RECEIVE_BATCH_MESSAGES);
    if (slots > ringSlots) this.#log.info(`-B ${ringSlots}: raised to one receive batch, ${slots} slots`);
    return { slots, slotBytes: RING_SLOT_BYTES, extraBytes: RECEIVE_EXTRA_BYTES };
  }

  #parserTask(): ParserTask {
    const { protocols, flushIntervalMs, rotateMinutes, saveMessagesFile, saveLimitBytes } = this.#options;
    return {
      messages: this.#messages.ring.buffer,
      blocks: this.#blocks.buffer,
      stats: this.#parserStats.buffer as SharedArrayBuffer,
      options: { protocols, flushIntervalMs, rotateMinutes, runId: this.#runId, replay: this.#replay },
      saveLimitBytes,
      ...(saveMessagesFile !== undefined && { saveMessagesFile }),
    };
  }

  #writerTask(port: MessagePort): WriterTask {
    const { fileTemplate, protocols, progressFd, fileMode, minFreeBytes, retention } = this.#options;
    return {
      ring: this.#blocks.buffer,
      stats: this.#writerStats.buffer as SharedArrayBuffer,
      port,
      options: {
        template: fileTemplate,
        protocols,
        runId: this.#runId,
        recorder: recorderName(),
        live: !this.#replay,
        fileMode,
        minFreeBytes,
        ...(progressFd !== undefined && { progressFd }),
        ...(retention !== undefined && { retention }),
      },
    };
  }

  /** One pool, one thread, one task that lasts as long as the recording. */
  #startStage(
    name: 'parser' | 'writer',
    task: ParserTask | WriterTask,
    transferList: MessagePort[],
  ): Promise<void> {
    const filename = new URL(`../../workers/${name}.js`, import.meta.url).href;
    const pool = new Piscina({
      filename,
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
    });
    this.#pools.push(pool);
    return pool.run(task, { transferList });
  }

  /** The writer's messages; resolves with the first file's path. */
  #listen(port: MessagePort): Promise<string> {
    return new Promise((resolve) => {
      port.on('message', (event: WriterEvent) => {
        if (event.type === 'opened') {
          this.#log.info({ file: event.file }, `recording to ${event.file}`);
          resolve(event.file);
        } else if (event.type === 'closed')
          this.#log.info(
            { file: event.file, chain: event.chain },
            `closed ${event.file}, chain ${event.chain}`,
          );
        else if (event.type === 'removed') {
          const { file, bytes, chain, reason } = event;
          this.#log.info(
            { file, bytes, chain, reason },
            `removed ${file} (${REMOVAL_REASONS[reason]}), ${bytes} bytes, chain ${chain}`,
          );
        } else if (event.type === 'flushed') this.#logStatistics();
        else this.#log[event.level](event.message);
      });
    });
  }

  #logStatistics(): void {
    const parser = Object.fromEntries(
      Object.entries(ParserStat).map(([name, i]) => [name, this.#parserStats[i]]),
    );
    const writer = Object.fromEntries(
      Object.entries(WriterStat).map(([name, i]) => [name, this.#writerStats[i]]),
    );
    const receiver = this.#source?.statistics() ?? {};
    this.#log.info(
      { receiver, parser, writer },
      `statistics: ${this.#source?.counts().received} received, ${this.#source?.counts().lost} lost, ${writer.durableEvents} durable${diskState(this.#writerStats)}`,
    );
  }

  #summary(unsaved: string): RecordSummary {
    const { received, lost } = this.#source!.counts();
    return {
      received,
      recorded: this.#writerStats[WriterStat.durableEvents],
      lost,
      bytesWritten: this.#writerStats[WriterStat.bytesWritten],
      files: this.#writerStats[WriterStat.files],
      unsaved,
    };
  }

  /** A promise, or the reason why a worker died. */
  async #orDeath<T>(promise: Promise<T>): Promise<T> {
    const death = this.#stages.then(() => new Promise<never>(() => {}));
    return Promise.race([promise, death]);
  }

  async #end(): Promise<void> {
    this.#source?.close();
    this.#port.close();
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }
}
