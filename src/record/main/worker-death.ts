/**
 * The death of a worker thread: it threw (an invariant broke), ran out of memory, or was ended. It is not
 * started again: what it held cannot be trusted after a fault that nobody foresaw. What the others hold is
 * made durable, one line says what is lost, and the recorder ends; the gap is in the log, and the next start
 * goes on behind it.
 */
import { SystemFailure } from '../../base/errors.js';
import { RingConsumer } from '../ring/consumer.js';
import type { RingMemory } from '../ring/layout.js';
import { RingProducer } from '../ring/producer.js';

export type StageName = 'parser' | 'writer';

export class StageDeath extends Error {
  override readonly name = 'StageDeath';
  constructor(
    readonly stage: StageName,
    readonly why: string,
    consequence = '',
  ) {
    super(`the ${stage} died (${why})${consequence}`);
  }

  /** The same death, with what it costs: `consequence` ends the line. */
  costing(consequence: string): StageDeath {
    const told = new StageDeath(this.stage, this.why, consequence);
    if (this.stack !== undefined) told.stack = this.stack;
    return told;
  }
}

/**
 * The error to tell for what a stage's task rejected with: a refusal of the system, at the start, is not a
 * fault of the stage.
 */
export function deathOf(stage: StageName, thrown: unknown): Error {
  if (thrown instanceof SystemFailure) return thrown;
  const { message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown));
  const death = new StageDeath(stage, message);
  if (stack !== undefined) death.stack = stack;
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
