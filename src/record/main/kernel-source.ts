/** The kernel as a source of messages: event socket and drain loop. */
import type { Logger } from 'pino';
import { SystemFailure } from '../../base/errors.js';
import { wallClockUs } from '../../base/libc/clock.js';
import { kernelFindings, type TableUse, tableUse } from '../conntrack/sysctls.js';
import { EventSocket } from '../netlink/event-socket.js';
import { Listeners } from '../netlink/listeners.js';
import { EventReceiver } from '../netlink/receiver.js';
import type { RingProducer } from '../ring/producer.js';
import { Control } from '../stage/control.js';
import type { MessageSource, SourceCounts } from '../stage/message-source.js';
import { LossLog } from './loss-log.js';
import type { RecorderOptions } from './options.js';
import { RepeatWatch } from './repeat-watch.js';
import { TableGuard } from './table-guard.js';

export interface KernelSourceHooks {
  /** Whether the ring is full because the parser waits for the disk. */
  readonly diskIsSlow: () => boolean;
  readonly onLoss: () => void;
}

export class KernelSource implements MessageSource {
  readonly #socket: EventSocket;
  readonly #receiver: EventReceiver;
  readonly #losses: LossLog;
  readonly #listeners: Listeners;
  /** Whether this recorder's socket is in reliable mode, and whether somebody else's is. */
  #reliable = false;
  #othersReliable = false;
  /** Only with `--reliable`. */
  readonly #guard: TableGuard | undefined;
  readonly #log: Logger;
  #running: Promise<void> = Promise.resolve();

  private constructor(
    socket: EventSocket,
    options: RecorderOptions,
    producer: RingProducer,
    log: Logger,
    { diskIsSlow, onLoss }: KernelSourceHooks,
  ) {
    this.#socket = socket;
    this.#log = log;
    this.#losses = new LossLog(log);
    this.#listeners = new Listeners(socket.inode);
    const repeats = new RepeatWatch(this.#listeners, (possible) => this.#noteRepeats(possible), log);
    this.#receiver = new EventReceiver(socket, producer, {
      diskIsSlow,
      onLoss: (loss) => {
        this.#losses.add(loss);
        onLoss();
      },
      look: () => repeats.look(),
    });
    if (options.reliable) this.#guard = this.#tableGuard(options.reliableMaxTablePercent);
  }

  /** Open the socket and join the groups; says what the kernel's settings cost. Throws SystemFailure. */
  static open(
    options: RecorderOptions,
    producer: RingProducer,
    log: Logger,
    hooks: KernelSourceHooks,
  ): KernelSource {
    const rcvbufBytes = options.rcvbufKiB * 1024;
    const socket = EventSocket.open(producer.ring, { rcvbufBytes, protocols: options.protocols });
    try {
      for (const finding of kernelFindings()) {
        if (finding.level === 'error') throw new SystemFailure('check kernel', 'ENOTSUP', finding.message);
        log.warn(finding.message);
      }
      if (socket.rcvbufBytes < rcvbufBytes)
        log.warn(
          `-b ${options.rcvbufKiB}: the kernel granted only ${Math.floor(socket.rcvbufBytes / 1024)} KiB (net.core.rmem_max; CAP_NET_ADMIN is not bound by it)`,
        );
      socket.join();
      return new KernelSource(socket, options, producer, log, hooks);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  get rcvbufBytes(): number {
    return this.#socket.rcvbufBytes;
  }

  run(): Promise<void> {
    this.#running = this.#receiver.start();
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#guard?.stop();
    await this.#receiver.stop();
    await this.#running;
    this.#losses.end();
  }

  control(kind: Control, ...args: number[]): void {
    this.#receiver.control(kind, ...args);
    // What it says goes into the file, so not before there is one.
    if (kind === Control.open) this.#guard?.start();
  }

  mark(mark: number): void {
    this.#receiver.mark(mark);
  }

  counts(): SourceCounts {
    const { receivedMessages, droppedMessages, deliveryFailures } = this.#receiver.totals;
    return { received: receivedMessages, lost: droppedMessages, deliveryFailures };
  }

  statistics(): Record<string, number> {
    return { ...this.#receiver.totals, complete: Number(this.#receiver.totals.complete) };
  }

  close(): void {
    this.#guard?.stop();
    this.#receiver.abandon();
    this.#listeners.close();
    this.#socket.close();
  }

  #noteRepeats(possible: boolean): void {
    this.#othersReliable = possible;
    this.#receiver.reliable = possible || this.#reliable;
    this.#receiver.control(Control.repeats, Number(possible), tableUse().entriesMax);
  }

  #tableGuard(maxPercent: number): TableGuard {
    return new TableGuard({
      maxPercent,
      switchTo: (on, use) => {
        this.#reliable = on;
        this.#socket.setReliable(on);
        this.#receiver.reliable = on || this.#othersReliable;
        this.#receiver.control(Control.reliable, Number(on), use.entries, use.entriesMax, wallClockUs());
        this.#say(on, use, maxPercent);
      },
    });
  }

  #say(on: boolean, { entries, entriesMax }: TableUse, maxPercent: number): void {
    const limit = `${maxPercent} % (--reliable-max-table)`;
    const use = `the conntrack table holds ${entries} entries (limit ${entriesMax})`;
    if (on)
      this.#log.info(`--reliable is on: ends that do not fit into the buffer wait in the kernel; ${use}`);
    else
      this.#log.warn(
        `--reliable is off: ends that do not fit into the buffer are lost; ${use}, more than ${limit}`,
      );
  }
}
