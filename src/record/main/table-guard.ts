/**
 * The guard of `--reliable`: what the kernel keeps for a recorder that does not take it stays in the
 * conntrack table, and a full table refuses connections. So the mode is on only while the table has room.
 * Main thread; a recorder that hangs as a whole is not guarded.
 */
import { CONNTRACK_SYSCTLS, type TableUse, tableUse } from '../conntrack/sysctls.js';

const LOOK_MS = 1000;
/**
 * On again below this part of the limit: a table that stays about as full as the limit must not switch every
 * second.
 */
const ON_AGAIN = 0.75;

export interface TableGuardOptions {
  /** Above this part of the table the mode is off, percent. */
  readonly maxPercent: number;
  /** Called at the start and at every change. */
  readonly switchTo: (on: boolean, use: TableUse) => void;
  /** Of the sysctls; for tests. */
  readonly directory?: string;
}

export class TableGuard {
  #on: boolean | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly options: TableGuardOptions) {}

  /** Look now, and about once a second from now on. */
  start(): void {
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const { maxPercent, switchTo, directory = CONNTRACK_SYSCTLS } = this.options;
    const use = tableUse(directory);
    const limit = (use.entriesMax * maxPercent) / 100;
    const isFull = use.entriesMax > 0 && use.entries > limit;
    const hasRoom = use.entriesMax === 0 || use.entries <= limit * ON_AGAIN;
    const on = this.#on === undefined ? !isFull : this.#on ? !isFull : hasRoom;
    if (on === this.#on) return;
    this.#on = on;
    switchTo(on, use);
  }
}
