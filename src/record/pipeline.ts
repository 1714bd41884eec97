/**
 * All stages of one recording. The order of the start matters for the rights (DESIGN.md section 10): worker threads and libuv's
 * pool first, then the socket, then the switch of the user; the first file is opened after it and belongs to that user.
 */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { Logger } from 'pino';
import { setPriority } from '../daemon/priority.js';
import { reduceRights } from '../daemon/rights.js';
import { DamageError } from '../errors.js';
import { checkTemplate } from '../log/names.js';
import { WriterStat } from '../log/writer-stats.js';
import type { WriterEvent, WriterTask } from '../log/writer-task.js';
import { RECEIVE_EXTRA_BYTES } from '../netlink/libc.js';
import { localZone } from '../query/time.js';
import { SaveFile } from '../replay/save.js';
import { ReplaySource } from '../replay/source.js';
import { createRing, RingState, STATE_WORD } from '../ring/layout.js';
import { RingProducer } from '../ring/producer.js';
import { recorderName } from '../version.js';
import { createBlockRing } from './blocks.js';
import { Control } from './control.js';
import { KernelSource } from './kernel-source.js';
import { RECEIVE_BATCH_MESSAGES, type RecorderOptions, RING_SLOT_BYTES } from './options.js';
import type { ParserTask } from './parser-task.js';
import type { ReadyInfo, RecordSummary } from './recorder.js';
import type { MessageSource } from './source.js';
import { Stage } from './stage.js';
import { createStats, ParserStat } from './stats.js';

export class Pipeline {
  readonly #options: RecorderOptions;
  readonly #log: Logger;
  readonly #replay: boolean;
  readonly #runId = randomBytes(8).readBigUInt64LE();
  readonly #messages: RingProducer;
  readonly #blocks = createBlockRing();
  readonly #parserStats = createStats();
  readonly #writerStats = createStats();
  readonly #saveFile: SaveFile | undefined;
  readonly #writer: Stage;
  readonly #parser: Stage;
  /** Resolves when both workers ended properly, rejects when one died. */
  readonly #stages: Promise<unknown>;
  readonly #firstFile: Promise<string>;
  #firstFileOpened!: (file: string) => void;
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
    this.#firstFile = new Promise((resolve) => {
      this.#firstFileOpened = resolve;
    });
    const { saveMessagesFile } = options;
    this.#saveFile = saveMessagesFile === undefined ? undefined : new SaveFile(saveMessagesFile);
    const hear = (event: WriterEvent) => this.#hear(event);
    this.#writer = new Stage('writer', (port) => this.#writerTask(port), hear);
    this.#parser = new Stage('parser', (port) => this.#parserTask(port), hear);
    this.#stages = Promise.all([this.#writer.done, this.#parserDone()]);
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
      });
      await this.#orDeath(Promise.race([running, this.#stopAsked]));
      if (damage !== undefined && source.counts().received === 0) throw damage; // no file for nothing
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
    if (replayFile === undefined) return new KernelSource(this.#options, this.#messages, this.#log);
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

  #parserTask(port: MessagePort): ParserTask {
    const { protocols, flushIntervalMs, rotateMinutes, saveLimitBytes: limitBytes } = this.#options;
    const file = this.#saveFile;
    return {
      port,
      messages: this.#messages.ring.buffer,
      blocks: this.#blocks.buffer,
      stats: this.#parserStats.buffer as SharedArrayBuffer,
      options: { protocols, flushIntervalMs, rotateMinutes, runId: this.#runId, replay: this.#replay },
      save: file && { fd: file.fd, path: file.path, limitBytes },
    };
  }

  #writerTask(port: MessagePort): WriterTask {
    const { fileTemplate, protocols, progressFd } = this.#options;
    return {
      ring: this.#blocks.buffer,
      stats: this.#writerStats.buffer as SharedArrayBuffer,
      port,
      options: {
        template: fileTemplate,
        protocols,
        runId: this.#runId,
        recorder: recorderName(),
        ...(progressFd !== undefined && { progressFd }),
      },
    };
  }

  /** The parser dies of a dead writer too, whose own reason is the one to tell. */
  async #parserDone(): Promise<void> {
    try {
      await this.#parser.done;
    } catch (error) {
      if (Atomics.load(this.#blocks.control, STATE_WORD) === RingState.failed) await this.#writer.done;
      throw error;
    }
  }

  #hear(event: WriterEvent): void {
    switch (event.type) {
      case 'opened':
        this.#log.info({ file: event.file }, `recording to ${event.file}`);
        this.#firstFileOpened(event.file);
        break;
      case 'closed':
        this.#log.info(
          { file: event.file, chain: event.chain },
          `closed ${event.file}, chain ${event.chain}`,
        );
        break;
      case 'flushed':
        this.#logStatistics();
        break;
      case 'log':
        this.#log[event.level](event.message);
    }
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
      `statistics: ${this.#source?.counts().received} received, ${this.#source?.counts().lost} lost, ${writer.durableEvents} durable`,
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
    await Promise.all([this.#writer.end(), this.#parser.end()]);
    this.#saveFile?.close();
  }
}
