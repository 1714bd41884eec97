/** What main thread and table worker tell each other. Plain data: it crosses between threads. */
import type { MessagePort } from 'node:worker_threads';
import type { RecordedFile } from './follow.js';

export interface TableTask {
  /**
   * Ring of blocks to the writer (src/record/stage/blocks.ts), and the parser's, whose waiting writer is
   * woken through it.
   */
  readonly snapshots: SharedArrayBuffer;
  readonly blocks: SharedArrayBuffer;
  /** The writer's counters (WriterStat): how far the log is durable. */
  readonly writerStats: SharedArrayBuffer;
  readonly port: MessagePort;
  readonly runId: bigint;
  /** IANA protocol numbers, or "all". */
  readonly protocols: readonly number[] | 'all';
}

export type ToTable =
  /** The recording goes on in this file. */
  | { readonly type: 'file'; readonly file: RecordedFile }
  /** Compare the kernel's table with the log. */
  | { readonly type: 'audit' }
  /**
   * The mark that was asked for last: everything sent before is durable, up to the block of this sequence.
   */
  | { readonly type: 'marked'; readonly sequence: number }
  | { readonly type: 'stop' };

export type FromTable =
  /** The thread has loaded its modules. */
  | { readonly type: 'up' }
  /** Put a mark into the log; one at a time. */
  | { readonly type: 'mark' }
  | { readonly type: 'log'; readonly level: 'info' | 'warn'; readonly message: string };
