/**
 * Where messages come from: the kernel (kernel-source.ts) or a capture (src/record/replay/source.ts). Main
 * thread.
 */
import type { Control } from './control.js';

export interface MessageSource {
  /** Socket buffer that was granted, bytes in the unit of `-b`; 0 where there is no socket. */
  readonly rcvbufBytes: number;
  /** Fills the ring until stopped or at its end; rejects when it fails. */
  run(): Promise<void>;
  /** Stop receiving; everything received is in the ring when this resolves. */
  stop(): Promise<void>;
  /** A control slot in order with the messages received so far; kept while the ring is full. */
  control(kind: Control, ...args: number[]): void;
  /**
   * Put `Control.flush` with this number behind everything that has happened so far, also what the kernel
   * still holds.
   */
  mark(mark: number): void;
  counts(): SourceCounts;
  /** Facts for the statistics line. */
  statistics(): Record<string, number>;
  close(): void;
}

export interface SourceCounts {
  /** Messages put into the ring. */
  readonly received: number;
  /** Messages that the kernel dropped. */
  readonly lost: number;
  /**
   * Of those, counted while a listener was in reliable mode: failed attempts, of which a message may have had
   * many.
   */
  readonly deliveryFailures: number;
}
