/**
 * All stages of one recording, wired together: the rings, the source, the two workers, the table worker. They
 * are started in the order that rights ask for (own-process.ts), and stopped in the order of the flow, so
 * that whatever was received is in the log.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { Logger } from 'pino';
import { DamageError, SystemFailure } from '../../base/errors.js';
import { RECEIVE_EXTRA_BYTES } from '../../base/libc/receive.js';
import { thisHost } from '../../base/process/host.js';
import { checkLocalRotation } from '../../base/time/boundaries.js';
import { localZone } from '../../base/time/zone.js';
import { recorderName } from '../../base/version.js';
import { Certainty, LossCause } from '../../event/gap.js';
import { checkTemplate } from '../../log/format/names.js';
import { ParserStat } from '../parser/parser-stats.js';
import type { ParserTask } from '../parser/parser-task.js';
import { SaveFile } from '../replay/save.js';
import { ReplaySource } from '../replay/source.js';
import { createRing, type RingMemory } from '../ring/layout.js';
import { RingProducer } from '../ring/producer.js';
import { createBlockRing } from '../stage/blocks.js';
import { Control } from '../stage/control.js';
import { createStats } from '../stage/counters.js';
import { RING_SLOT_BYTES, RING_SLOTS_MIN } from '../stage/message-ring.js';
import type { MessageSource } from '../stage/message-source.js';
import { diskState } from '../writer/writer-stats.js';
import type { WriterEvent, WriterTask } from '../writer/writer-task.js';
import { KernelSource } from './kernel-source.js';
import type { RecorderOptions } from './options.js';
import { exitWithoutThreads, settleProcess, startThreadPool } from './own-process.js';
import type { ReadyInfo, RecordSummary } from './recording.js';
import { RecordingLog } from './recording-log.js';
import { misplacedRotation } from './rotation-check.js';
import { TableStage } from './table-stage.js';
import { Watchdog } from './watchdog.js';
import { WorkerThread } from './worker.js';
import { StageDeath } from './worker-death.js';
import { Workers } from './workers.js';

/** Number of a flush that is asked for by a user; others are marks of the table worker. */
const STATISTICS = 0;

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
  readonly #texts: RecordingLog;
  readonly #workers: Workers;
  readonly #watchdog: Watchdog;
  readonly #table: TableStage | undefined;
  readonly #firstFile: Promise<string>;
  #hasFile = false;
  #firstFileOpened!: (file: string) => void;
  readonly #stopAsked: Promise<void>;
  #askStop!: () => void;
  #saveFile: SaveFile | undefined;
  #source: MessageSource | undefined;
  #exitWithThreads = (): void => {};

  /** Throws UsageError when TZ, the template of the file names or their interval is wrong. */
  constructor(options: RecorderOptions, log: Logger) {
    localZone(); // says what is wrong with TZ, and the workers take it from here
    checkTemplate(options.fileTemplate);
    if (options.rotateLocal) checkLocalRotation(options.rotateMinutes);
    this.#options = options;
    this.#log = log;
    this.#replay = options.replayFile !== undefined;
    this.#texts = new RecordingLog(log, this.#parserStats, this.#writerStats);
    this.#messages = new RingProducer(createMessageRing(options.ringSlots, log));
    const hear = (event: WriterEvent) => this.#hear(event);
    const parser = new WorkerThread('parser', (port) => this.#parserTask(port), hear);
    const writer = new WorkerThread('writer', (port) => this.#writerTask(port), hear);
    this.#workers = new Workers(parser, writer, this.#messages.ring, this.#blocks);
    this.#watchdog = this.#watch();
    if (options.snapshot && !this.#replay) this.#table = this.#tableStage();
    this.#firstFile = new Promise((resolve) => {
      this.#firstFileOpened = resolve;
    });
    this.#stopAsked = new Promise((resolve) => {
      this.#askStop = resolve;
    });
  }

  /** Start the workers, open source and first file. Rejects with one line and leaves nothing running. */
  async open(): Promise<ReadyInfo> {
    const { saveMessagesFile } = this.#options;
    if (saveMessagesFile !== undefined) this.#saveFile = SaveFile.create(saveMessagesFile);
    if (!this.#replay) this.#exitWithThreads = exitWithoutThreads();
    try {
      this.#workers.start();
      this.#watchdog.start();
      await startThreadPool();
      const source = await this.#openSource();
      this.#source = source;
      settleProcess(this.#options, this.#log);
      source.control(Control.open, Date.now() * 1000);
      // A replay's first file is opened by its first message.
      const opened = Promise.race([this.#firstFile, this.#stoppedTooEarly()]);
      const file = this.#replay ? '' : await this.#workers.orDeath(opened);
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
      await this.#workers.orDeath(Promise.race([running, this.#stopAsked]));
      if (damage !== undefined && source.counts().received === 0) throw damage; // no file for nothing
      const stopped = this.#stopInOrder(source).then(() => '');
      const unsaved = await this.#workers.orDeath(Promise.race([stopped, this.#tooLate()]));
      if (damage !== undefined) throw damage;
      return this.#texts.summary(source, unsaved);
    } catch (error) {
      throw error instanceof StageDeath ? await this.#afterDeath(error, source) : error;
    } finally {
      await this.#end();
    }
  }

  rotate(): void {
    this.#source?.control(Control.rotate, Date.now() * 1000);
  }

  flush(): void {
    const source = this.#source;
    if (source === undefined) return; // nothing has been received yet
    // While a stage stalls or the disk keeps the writer waiting no answer comes: what is known is said at
    // once.
    const { stalled } = this.#watchdog;
    if (Object.keys(stalled).length > 0 || diskState(this.#writerStats) !== '')
      this.#texts.statistics(source, stalled);
    source.control(Control.flush, STATISTICS);
  }

  stop(): void {
    this.#askStop();
  }

  async #stopInOrder(source: MessageSource): Promise<void> {
    await this.#table?.stop();
    await source.stop();
    source.control(Control.stop);
    await this.#workers.done;
  }

  /** A first file on a disk that hangs must not keep a stop from ending. */
  async #stoppedTooEarly(): Promise<never> {
    await this.#stopAsked;
    await sleep(this.#options.stopTimeoutMs, undefined, { ref: false });
    const { fileTemplate } = this.#options;
    const message = `${fileTemplate}: the first file could not be opened within --stop-timeout after the stop`;
    throw new SystemFailure('open', 'ETIMEDOUT', message);
  }

  async #tooLate(): Promise<string> {
    await sleep(this.#options.stopTimeoutMs, undefined, { ref: false });
    return this.#texts.unsaved(this.#messages.used());
  }

  /** Let the writer make durable what it has, and say what is lost. */
  async #afterDeath(death: StageDeath, source: MessageSource): Promise<StageDeath> {
    if (death.stage === 'parser') {
      source.close(); // nobody takes what it receives; the receiver has seen the ring fail
      await this.#workers.writerEnds(this.#options.stopTimeoutMs);
    }
    return death.costing(this.#texts.deathCost(source));
  }

  async #openSource(): Promise<MessageSource> {
    const { replayFile, keepDuplicates } = this.#options;
    if (replayFile === undefined) {
      const diskIsSlow = () => this.#parserStats[ParserStat.waitingForWriter] === 1;
      const onLoss = () => this.#table?.noteLoss();
      return KernelSource.open(this.#options, this.#messages, this.#log, { diskIsSlow, onLoss });
    }
    return ReplaySource.open(replayFile, this.#messages, { keepDuplicates });
  }

  #watch(): Watchdog {
    return new Watchdog(
      [
        { name: 'writer', ring: this.#blocks, obstacle: () => this.#texts.writerObstacle() },
        { name: 'parser', ring: this.#messages.ring, obstacle: () => this.#texts.parserObstacle() },
      ],
      this.#log,
    );
  }

  #parserTask(port: MessagePort): ParserTask {
    const {
      protocols,
      flushIntervalMs,
      rotateMinutes,
      rotateLocal,
      saveLimitBytes: limitBytes,
    } = this.#options;
    const file = this.#saveFile;
    return {
      port,
      messages: this.#messages.ring.buffer,
      blocks: this.#blocks.buffer,
      stats: this.#parserStats.buffer as SharedArrayBuffer,
      options: {
        protocols,
        flushIntervalMs,
        rotateMinutes,
        rotateLocal,
        runId: this.#runId,
        replay: this.#replay,
      },
      save: file && { fd: file.fd, path: file.path, limitBytes },
    };
  }

  #writerTask(port: MessagePort): WriterTask {
    const { fileTemplate, protocols, progressFd, fileMode, minFreeBytes, retention, identity } =
      this.#options;
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
        ...(identity !== undefined && { identity }),
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

  #hear(event: WriterEvent): void {
    this.#texts.hear(event);
    if (event.type === 'opened') {
      const { file: path, openedUs, afterSequence } = event;
      this.#table?.fileOpened({ path, openedUs, afterSequence });
      this.#hearFirstFile(path, openedUs);
    } else if (event.type === 'flushed') {
      if (event.mark === STATISTICS) this.#texts.statistics(this.#source!, this.#watchdog.stalled);
      else this.#table?.marked(event.mark, event.sequence);
    }
  }

  /** Only now a replay's time is known too. */
  #hearFirstFile(path: string, openedUs: number): void {
    if (this.#hasFile) return;
    this.#hasFile = true;
    const misplaced = misplacedRotation(this.#options, openedUs);
    if (misplaced !== undefined) this.#log.warn(misplaced);
    this.#firstFileOpened(path);
  }

  async #end(): Promise<void> {
    await this.#table?.stop();
    this.#source?.close();
    this.#watchdog.stop();
    if (await this.#workers.end()) this.#exitWithThreads();
    this.#saveFile?.close();
  }
}

function createMessageRing(ringSlots: number, log: Logger): RingMemory {
  const slots = Math.max(ringSlots, RING_SLOTS_MIN);
  if (slots > ringSlots) log.info(`-B ${ringSlots}: raised to ${slots} slots, the fewest possible`);
  return createRing({ slots, slotBytes: RING_SLOT_BYTES, extraBytes: RECEIVE_EXTRA_BYTES });
}
