/** What main thread and table worker tell each other. Plain data: it crosses between threads. */
import type { MessagePort } from 'node:worker_threads';

export interface TableTask {
  /** Ring of blocks to the writer (src/record/blocks.ts), and the parser's, whose waiting writer is woken through it. */
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
  /** The recording goes on in this live file; its opening time, microseconds since the epoch. */
  | { readonly type: 'file'; readonly path: string; readonly openedUs: number }
  /** Compare the kernel's table with the log. */
  | { readonly type: 'audit' }
  /** Everything received before the mark was asked for is durable, up to the block of this sequence. */
  | { readonly type: 'marked'; readonly mark: number; readonly sequence: number }
  | { readonly type: 'stop' };

export type FromTable =
  /** The thread has loaded its modules. */
  | { readonly type: 'up' }
  | { readonly type: 'mark'; readonly mark: number }
  | { readonly type: 'log'; readonly level: 'info' | 'warn'; readonly message: string };
