/** The kernel as a source of messages: event socket and drain loop. */
import type { Logger } from 'pino';
import { SystemFailure } from '../errors.js';
import { EventSocket } from '../netlink/event-socket.js';
import { kernelFindings } from '../netlink/kernel.js';
import { EventReceiver, type Loss } from '../netlink/receiver.js';
import type { RingProducer } from '../ring/producer.js';
import type { Control } from './control.js';
import { LossLog } from './loss-log.js';
import type { RecorderOptions } from './options.js';
import type { MessageSource, SourceCounts } from './source.js';

export interface KernelSourceHooks {
  /** Whether the ring is full because the parser waits for the disk. */
  readonly diskIsSlow: () => boolean;
  readonly onLoss: () => void;
}

export class KernelSource implements MessageSource {
  readonly #socket: EventSocket;
  readonly #receiver: EventReceiver;
  readonly #losses: LossLog;
  #running: Promise<void> = Promise.resolve();

  /** Opens the socket and joins the groups; says what the kernel's settings cost. Throws SystemFailure. */
  constructor(options: RecorderOptions, producer: RingProducer, log: Logger, hooks: KernelSourceHooks) {
    this.#losses = new LossLog(log);
    const askedBytes = options.rcvbufKiB * 1024;
    this.#socket = EventSocket.open(producer.ring, { rcvbufBytes: askedBytes, protocols: options.protocols });
    try {
      for (const finding of kernelFindings()) {
        if (finding.level === 'error') throw new SystemFailure('check kernel', 'ENOTSUP', finding.message);
        log.warn(finding.message);
      }
      if (this.rcvbufBytes < askedBytes)
        log.warn(
          `-b ${options.rcvbufKiB}: the kernel granted ${Math.floor(this.rcvbufBytes / 1024)} KiB only (net.core.rmem_max; CAP_NET_ADMIN is not bound by it)`,
        );
      this.#socket.join();
      const onLoss = (loss: Readonly<Loss>) => {
        this.#losses.add(loss);
        hooks.onLoss();
      };
      this.#receiver = new EventReceiver(this.#socket, producer, { diskIsSlow: hooks.diskIsSlow, onLoss });
    } catch (error) {
      this.#socket.close();
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
    await this.#receiver.stop();
    await this.#running;
    this.#losses.end();
  }

  control(kind: Control, ...args: number[]): void {
    this.#receiver.control(kind, ...args);
  }

  mark(mark: number): void {
    this.#receiver.mark(mark);
  }

  counts(): SourceCounts {
    const { receivedMessages, droppedMessages } = this.#receiver.totals;
    return { received: receivedMessages, lost: droppedMessages };
  }

  statistics(): Record<string, number> {
    return { ...this.#receiver.totals, complete: Number(this.#receiver.totals.complete) };
  }

  close(): void {
    this.#socket.close();
  }
}
