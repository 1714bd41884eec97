/**
 * All stages of one recording. The order of the start matters for the rights: worker threads and libuv's
 * pool come first, because what exists at the switch of the user loses its capabilities with it; then the
 * socket, which needs them; then the switch. The first file is opened after it and belongs to that user.
 */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { Logger } from 'pino';
import { DamageError, SystemFailure } from '../../base/errors.js';
import { exitNow } from '../../base/libc/process.js';
import { RECEIVE_EXTRA_BYTES } from '../../base/libc/receive.js';
import { thisHost } from '../../base/process/host.js';
import { preferThisThread, setPriority } from '../../base/process/priority.js';
import { reduceRights } from '../../base/process/rights.js';
import { localZone } from '../../base/time/zone.js';
import { recorderName } from '../../base/version.js';
import { Certainty, LossCause } from '../../event/gap.js';
import { checkTemplate } from '../../log/format/names.js';
import { ParserStat } from '../parser/parser-stats.js';
import type { ParserTask } from '../parser/parser-task.js';
import { SaveFile } from '../replay/save.js';
import { ReplaySource } from '../replay/source.js';
import { createRing, RingState, STATE_WORD } from '../ring/layout.js';
import { RingProducer } from '../ring/producer.js';
import { createBlockRing } from '../stage/blocks.js';
import { Control } from '../stage/control.js';
import { createStats } from '../stage/counters.js';
import { RING_SLOT_BYTES, RING_SLOTS_MIN } from '../stage/message-ring.js';
import type { MessageSource } from '../stage/message-source.js';
import { diskState, WriterStat } from '../writer/writer-stats.js';
import type { WriterEvent, WriterTask } from '../writer/writer-task.js';
import { KernelSource } from './kernel-source.js';
import { lossText, partialText } from './loss-log.js';
import type { RecorderOptions } from './options.js';
import type { ReadyInfo, RecordSummary } from './recording.js';
import { TableStage } from './table-stage.js';
import { Watchdog } from './watchdog.js';
import { Stage } from './worker.js';
import { announceDeath, deathOf, StageDeath, type StageName } from './worker-death.js';

/** Number of a flush that is asked for by a user; others are marks of the table worker. */
const STATISTICS = 0;
/** Threads are given this long to end. */
const END_MS_MAX = 2000;

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
  readonly #snapshots = createBlockRing();
  readonly #parserStats = createStats();
  readonly #writerStats = createStats();
  readonly #saveFile: SaveFile | undefined;
  readonly #writer: Stage<WriterEvent>;
  readonly #parser: Stage<WriterEvent>;
  readonly #writerDone: Promise<unknown>;
  /** Resolves when both workers ended properly, rejects when one died. */
  readonly #stages: Promise<unknown>;
  readonly #watchdog: Watchdog;
  readonly #exitNow = (code: number): void => exitNow(code);
  readonly #firstFile: Promise<string>;
  #firstFileOpened!: (file: string) => void;
  readonly #stopAsked: Promise<void>;
  #askStop!: () => void;
  #liveFile = '';
  #source: MessageSource | undefined;
  readonly #table: TableStage | undefined;

  constructor(options: RecorderOptions, log: Logger) {
    localZone(); // says what is wrong with TZ, and the workers take it from here
    checkTemplate(options.fileTemplate);
    this.#options = options;
    this.#log = log;
    this.#replay = options.replayFile !== undefined;
    this.#messages = new RingProducer(createRing(this.#ringSizes()));
    if (options.snapshot && !this.#replay) this.#table = this.#tableStage();
    this.#firstFile = new Promise((resolve) => {
      this.#firstFileOpened = resolve;
    });
    if (!this.#replay) process.once('exit', this.#exitNow);
    const { saveMessagesFile } = options;
    this.#saveFile = saveMessagesFile === undefined ? undefined : new SaveFile(saveMessagesFile);
    const hear = (event: WriterEvent) => this.#hear(event);
    this.#writer = new Stage('writer', (port) => this.#writerTask(port), hear);
    this.#parser = new Stage('parser', (port) => this.#parserTask(port), hear);
    this.#writerDone = this.#ended('writer', this.#writer);
    this.#stages = Promise.all([this.#writerDone, this.#ended('parser', this.#parser)]);
    this.#watchdog = this.#watch();
    this.#stages.catch(() => {}); // whoever waits for something else races with it
    this.#stopAsked = new Promise((resolve) => {
      this.#askStop = resolve;
    });
  }

  /** Open the source and the first file. Rejects with one line and leaves nothing running. */
  async open(): Promise<ReadyInfo> {
    try {
      this.#watchdog.start();
      await stat('/'); // starts libuv's pool, whose threads then lose their rights with the others
      const source = await this.#openSource();
      this.#source = source;
      if (this.#options.nice !== undefined) setPriority(this.#options.nice);
      else if (!this.#replay) preferThisThread();
      if (!this.#replay) this.#reduceRights();
      source.control(Control.open, Date.now() * 1000);
      // A replay's first file is opened by its first message.
      const opened = Promise.race([this.#firstFile, this.#stoppedTooEarly()]);
      const file = this.#replay ? '' : await this.#orDeath(opened);
      return { file, rcvbufBytes: source.rcvbufBytes, ringSlots: this.#messages.ring.slots };
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  /**
   * Until stopped, the end of a replay, or the death of a stage. A damaged capture is told after all before
   * it is saved.
   */
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
      if (damage !== undefined && source.counts().received === 0) throw damage; // no file for nothing
      const stopped = this.#stopInOrder(source).then(() => '');
      const unsaved = await this.#orDeath(Promise.race([stopped, this.#tooLate()]));
      if (damage !== undefined) throw damage;
      return this.#summary(unsaved);
    } catch (error) {
      throw error instanceof StageDeath ? await this.#afterDeath(error) : error;
    } finally {
      await this.#end();
    }
  }

  rotate(): void {
    this.#source?.control(Control.rotate, Date.now() * 1000);
  }

  flush(): void {
    // While a stage stalls or the disk keeps the writer waiting no answer comes: what is known is said at
    // once.
    if (Object.keys(this.#watchdog.stalled).length > 0 || diskState(this.#writerStats) !== '')
      this.#logStatistics();
    this.#source?.control(Control.flush, STATISTICS);
  }

  stop(): void {
    this.#askStop();
  }

  async #stopInOrder(source: MessageSource): Promise<void> {
    await this.#table?.stop();
    await source.stop();
    source.control(Control.stop);
    await this.#stages;
  }

  /** A first file on a disk that hangs must not keep a stop from ending. */
  async #stoppedTooEarly(): Promise<never> {
    await this.#stopAsked;
    await sleep(this.#options.stopTimeoutMs, undefined, { ref: false });
    const { fileTemplate } = this.#options;
    const message = `${fileTemplate}: stopped before the first file was open, which took longer than --stop-timeout`;
    throw new SystemFailure('open', 'ETIMEDOUT', message);
  }

  /** Let the writer make durable what it has, and say what is lost. */
  async #afterDeath({ stage, why, stack }: StageDeath): Promise<StageDeath> {
    if (stage === 'parser') {
      this.#source!.close(); // nobody takes what it receives; the receiver has seen the ring fail
      await isSettledWithin(this.#options.stopTimeoutMs, this.#writerDone);
    }
    const { otherProtocol, repeats } = ParserStat;
    const unrecorded = this.#parserStats[otherProtocol] + this.#parserStats[repeats];
    const lost = this.#source!.counts().received - unrecorded - this.#writerStats[WriterStat.durableEvents];
    const consequence = `: at most ${lost} received events are lost, the others are safe; start the recorder again`;
    const told = new StageDeath(stage, why, consequence);
    if (stack !== undefined) told.stack = stack;
    return told;
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
      const onLoss = () => this.#table?.noteLoss();
      return new KernelSource(this.#options, this.#messages, this.#log, { diskIsSlow, onLoss });
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
    const slots = Math.max(ringSlots, RING_SLOTS_MIN);
    if (slots > ringSlots) this.#log.info(`-B ${ringSlots}: raised to ${slots} slots, the fewest possible`);
    return { slots, slotBytes: RING_SLOT_BYTES, extraBytes: RECEIVE_EXTRA_BYTES };
  }

  #watch(): Watchdog {
    const [parserStats, writerStats] = [this.#parserStats, this.#writerStats];
    const parserObstacle = () =>
      parserStats[ParserStat.waitingForWriter] === 1 ? 'it waits for the writer' : 'it takes no message';
    const writerObstacle = () => {
      if (this.#liveFile === '') return 'it checks the files that an earlier run left';
      if (writerStats[WriterStat.stalled] === 1) return `${this.#liveFile} cannot be written`;
      return `a write to ${this.#liveFile} or its fdatasync does not return`;
    };
    return new Watchdog(
      [
        { name: 'writer', ring: this.#blocks, obstacle: writerObstacle },
        { name: 'parser', ring: this.#messages.ring, obstacle: parserObstacle },
      ],
      this.#log,
    );
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
    const { fileTemplate, protocols, progressFd, fileMode, minFreeBytes, retention } = this.#options;
    return {
      ring: this.#blocks.buffer,
      snapshots: this.#snapshots.buffer,
      stats: this.#writerStats.buffer as SharedArrayBuffer,
      port,
      options: {
        template: fileTemplate,
        protocols,
        runId: this.#runId,
        host: thisHost(),
        recorder: recorderName(),
        live: !this.#replay,
        fileMode,
        minFreeBytes,
        ...(progressFd !== undefined && { progressFd }),
        ...(retention !== undefined && { retention }),
      },
    };
  }

  #tableStage(): TableStage {
    const options = {
      snapshots: this.#snapshots.buffer,
      blocks: this.#blocks.buffer,
      writerStats: this.#writerStats.buffer as SharedArrayBuffer,
      runId: this.#runId,
      protocols: this.#options.protocols,
      mark: (mark: number) => this.#source?.mark(mark),
    };
    return new TableStage(options, this.#log);
  }

  /** Rejects with the death to tell: the parser dies of a dead writer too, whose own reason that is. */
  async #ended(name: StageName, stage: Stage<WriterEvent>): Promise<void> {
    try {
      await stage.done;
    } catch (error) {
      announceDeath(name, this.#messages.ring, this.#blocks);
      if (name === 'parser' && Atomics.load(this.#blocks.control, STATE_WORD) === RingState.failed)
        await this.#writerDone;
      throw deathOf(name, error);
    }
  }

  #hear(event: WriterEvent): void {
    switch (event.type) {
      case 'opened': {
        const { file: path, openedUs, afterSequence } = event;
        this.#liveFile = path;
        this.#log.info({ file: path }, `recording to ${path}`);
        this.#table?.fileOpened({ path, openedUs, afterSequence });
        this.#firstFileOpened(path);
        break;
      }
      case 'closed':
        this.#log.info(
          { file: event.file, chain: event.chain },
          `closed ${event.file}, chain ${event.chain}`,
        );
        break;
      case 'removed': {
        const { file, bytes, chain, reason } = event;
        this.#log.info(
          { file, bytes, chain, reason },
          `removed ${file} (${REMOVAL_REASONS[reason]}), ${bytes} bytes, chain ${chain}`,
        );
        break;
      }
      case 'flushed':
        if (event.mark === STATISTICS) this.#logStatistics();
        else this.#table?.marked(event.mark, event.sequence);
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
    const source = this.#source!;
    const counts = source.counts();
    const { stalled } = this.#watchdog;
    const stalls = Object.entries(stalled).map(([stage, text]) => `, ${stage} stalled (${text})`);
    this.#log.info(
      { receiver: source.statistics(), parser, writer, stalled },
      `statistics: ${counts.received} received, ${lossText(counts)}${partialText(parser.partial)}, ${writer.durableEvents} durable${stalls.join('')}${diskState(this.#writerStats)}`,
    );
  }

  #summary(unsaved: string): RecordSummary {
    return {
      ...this.#source!.counts(),
      recorded: this.#writerStats[WriterStat.durableEvents],
      repeats: this.#parserStats[ParserStat.repeats],
      partial: this.#parserStats[ParserStat.partial],
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
    await this.#table?.stop();
    this.#source?.close();
    this.#watchdog.stop();
    const ended = Promise.all([this.#writer.end(), this.#parser.end()]);
    // A thread that hangs in a system call does not end; process.exit would wait for it.
    if (await isSettledWithin(END_MS_MAX, ended)) process.off('exit', this.#exitNow);
    this.#saveFile?.close();
  }
}

async function isSettledWithin(limitMs: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(limitMs, false, { signal: timer.signal }).catch(() => false);
  const settled = promise.then(
    () => true,
    () => true,
  );
  const isSettled = await Promise.race([settled, late]);
  timer.abort();
  return isSettled;
}
