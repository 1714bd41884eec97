/**
 * What a recording says of itself on the log, and its facts in numbers. Main thread; the counters are those
 * that the workers write.
 */
import type { Logger } from 'pino';
import { ParserStat } from '../parser/parser-stats.js';
import type { MessageSource } from '../stage/message-source.js';
import { diskState, WriterStat } from '../writer/writer-stats.js';
import type { WriterEvent } from '../writer/writer-task.js';
import { lossText, partialText } from './loss-log.js';
import type { RecordSummary } from './recording.js';

const REMOVAL_REASONS = {
  age: 'older than --keep-days',
  bytes: 'more than --keep-bytes',
  'disk full': 'the disk is full',
} as const;

export class RecordingLog {
  #liveFile = '';

  constructor(
    readonly log: Logger,
    readonly parserStats: Float64Array,
    readonly writerStats: Float64Array,
  ) {}

  /** What a worker says that somebody should read. */
  hear(event: WriterEvent): void {
    switch (event.type) {
      case 'opened':
        this.#liveFile = event.file;
        this.log.info({ file: event.file }, `recording to ${event.file}`);
        break;
      case 'closed': {
        const { file, chain } = event;
        this.log.info({ file, chain }, `closed ${file}, chain ${chain}`);
        break;
      }
      case 'removed': {
        const { file, bytes, chain, reason } = event;
        const text = `removed ${file} (${REMOVAL_REASONS[reason]}), ${bytes} bytes, chain ${chain}`;
        this.log.info({ file, bytes, chain, reason }, text);
        break;
      }
      case 'log':
        this.log[event.level](event.message);
    }
  }

  /** `stalled`: stages that do not get on, and why (Watchdog). */
  statistics(source: MessageSource, stalled: Readonly<Record<string, string>>): void {
    const parser = named(ParserStat, this.parserStats);
    const writer = named(WriterStat, this.writerStats);
    const counts = source.counts();
    const stalls = Object.entries(stalled).map(([stage, text]) => `, ${stage} stalled (${text})`);
    this.log.info(
      { receiver: source.statistics(), parser, writer, stalled },
      `statistics: ${counts.received} received, ${lossText(counts)}${partialText(parser.partial)}, ${writer.durableEvents} durable${stalls.join('')}${diskState(this.writerStats)}`,
    );
  }

  /** What keeps the parser; the end of a sentence, as the next. */
  parserObstacle(): string {
    return this.parserStats[ParserStat.waitingForWriter] === 1
      ? 'it waits for the writer'
      : 'it is not taking messages';
  }

  writerObstacle(): string {
    if (this.#liveFile === '') return 'it checks the files that an earlier run left';
    if (this.writerStats[WriterStat.stalled] === 1) return `${this.#liveFile} cannot be written`;
    return `a write to ${this.#liveFile} or its fdatasync does not return`;
  }

  /** What a dead worker costs: the end of the line that tells of its death. */
  deathCost(source: MessageSource): string {
    const unrecorded = this.parserStats[ParserStat.otherProtocol] + this.parserStats[ParserStat.repeats];
    const lost = source.counts().received - unrecorded - this.writerStats[WriterStat.durableEvents];
    return `: at most ${lost} received events are lost, all others are safe; start the recorder again`;
  }

  /** What a stop that took too long leaves; `waiting`: messages in the ring. */
  unsaved(waiting: number): string {
    const inBlocks = this.parserStats[ParserStat.recorded] - this.writerStats[WriterStat.durableEvents];
    return `${inBlocks} events in blocks and ${waiting} messages in the ring were not saved within --stop-timeout`;
  }

  /** `unsaved`: empty when all is well. */
  summary(source: MessageSource, unsaved: string): RecordSummary {
    return {
      ...source.counts(),
      recorded: this.writerStats[WriterStat.durableEvents],
      repeats: this.parserStats[ParserStat.repeats],
      partial: this.parserStats[ParserStat.partial],
      bytesWritten: this.writerStats[WriterStat.bytesWritten],
      files: this.writerStats[WriterStat.files],
      unsaved,
    };
  }
}

/** Counters by the names of their words. */
function named<Name extends string>(
  words: Readonly<Record<Name, number>>,
  counters: Float64Array,
): Record<Name, number> {
  const entries = Object.entries<number>(words).map(([name, word]) => [name, counters[word]]);
  return Object.fromEntries(entries);
}
