/**
 * The death of a worker thread: it threw (an invariant broke), ran out of memory, or was ended. It is not started again: what it held
 * cannot be trusted after a fault that nobody foresaw. What the others hold is made durable, one line says what is lost, and the
 * recorder ends; the gap is in the log, and the next start goes on behind it.
 */
import { oneLine } from '../cli/failure.js';
import { SystemFailure } from '../errors.js';
import { RingConsumer } from '../ring/consumer.js';
import type { RingMemory } from '../ring/layout.js';
import { RingProducer } from '../ring/producer.js';

export type StageName = 'parser' | 'writer';

/** What a worker throws instead of an Error, which would lose its name on the way to another thread. */
export interface StageFailure {
  /** The system said no, which happens at the start only: no fault of the stage. */
  readonly refused: boolean;
  /** For the user. */
  readonly line: string;
  readonly stack: string;
}

export function stageFailure(error: unknown): StageFailure {
  const refused = error instanceof SystemFailure;
  const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  return { refused, line: refused ? oneLine(error) : message, stack };
}

export class StageDeath extends Error {
  override readonly name = 'StageDeath';
  constructor(
    readonly stage: StageName,
    readonly why: string,
    consequence = '',
  ) {
    super(`the ${stage} died (${why})${consequence}`);
  }
}

/** The error to tell for what a stage's task rejected with. */
export function deathOf(stage: StageName, thrown: Error | StageFailure): SystemFailure | StageDeath {
  if (thrown instanceof Error) return new StageDeath(stage, thrown.message);
  const { refused, line, stack } = thrown;
  if (refused) return new SystemFailure(`start ${stage}`, 'UNKNOWN', line);
  const death = new StageDeath(stage, line);
  death.stack = stack;
  return death;
}

/** Tell the neighbours, which a thread that was ended could not do itself. */
export function announceDeath(stage: StageName, messages: RingMemory, blocks: RingMemory): void {
  if (stage === 'writer') {
    new RingConsumer(blocks).fail();
    return;
  }
  new RingConsumer(messages).fail();
  new RingProducer(blocks).close();
}
