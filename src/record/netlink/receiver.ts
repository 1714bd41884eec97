/**
 * The drain loop of the main thread: from the event socket into the ring. It never looks at a message and
 * allocates nothing per message. A full ring stops it: then the kernel's buffer fills, and the kernel drops.
 * So there is one place where events are lost, and it counts them.
 *
 * After a drain it naps instead of waking per message. Naps are synchronous, because a timer costs twice the
 * CPU (45 us, a usleep 20 us); after BURST_MS of them it lets the event loop run, so that signals and timers
 * are at most that late. Without traffic it sleeps in poll.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { sleepMicroseconds, wallClockUs } from '../../base/libc/clock.js';
import { Certainty, LossCause } from '../../event/gap.js';
import { RingState, STATE_WORD } from '../ring/layout.js';
import type { RingProducer } from '../ring/producer.js';
import { type Control, Control as ControlKind, putControl } from '../stage/control.js';
import { EVENT_TRUESIZE_BYTES, type EventSocket } from './event-socket.js';
import { NapLength } from './nap-length.js';

export interface ReceiverOptions {
  /** Pause between drains while there is traffic; without it, as long as the buffer allows. */
  readonly napMs?: number;
  /** Whether whoever empties the ring waits for the disk; asked while the ring is full. */
  readonly diskIsSlow?: () => boolean;
  /** Told of every gap when it is reported. */
  readonly onLoss?: (loss: Readonly<Loss>) => void;
  /**
   * Called before a drain, at most every LOOK_MS, less often without traffic: its controls go ahead of
   * what is received.
   */
  readonly look?: () => void;
}

/**
 * Messages that the kernel dropped between two looks at its counter. Times in microseconds since the epoch.
 */
export interface Loss {
  lost: number;
  readonly fromUs: number;
  toUs: number;
  /** Index in LOSS_CAUSES. */
  cause: number;
  /**
   * Index in CERTAINTIES: while the kernel repeats events it counts every attempt to deliver, so the count is
   * an upper bound.
   */
  certainty: number;
}

/** Live: the same object all the time. */
export interface ReceiverTotals {
  /** Messages put into the ring, control slots not counted. */
  receivedMessages: number;
  /** Passes over the socket, and the recvmmsg calls they made. */
  drains: number;
  receiveCalls: number;
  /** Dropped by the kernel: exact, but for delivery failures. */
  droppedMessages: number;
  /**
   * Of those, counted while a listener was in reliable mode: attempts to deliver, of which a message may have
   * had many.
   */
  deliveryFailures: number;
  /** The fullest that the socket's buffer was found, in bytes of SO_MEMINFO (limit: twice rcvbufBytes). */
  queueHighWaterBytes: number;
  ringHighWaterSlots: number;
  /** Naps in which the socket was left alone because the ring was full. */
  fullRingNaps: number;
  clockSteps: number;
  /** False when the consumer died, or the socket was given up, before everything was delivered. */
  complete: boolean;
}

const BURST_MS = 20;
const IDLE_DRAINS = 3;
/**
 * A message ends the poll at once. An idle wake-up costs up to 1 ms of CPU, so few of them; but how long an
 * idle process was stopped can only be told beyond this.
 */
const POLL_MS = 2000;
/**
 * Most messages in one recvmmsg: the kernel's own limit (UIO_MAXIOV, include/uapi/linux/uio.h), and never
 * more than the ring has room for.
 */
const RECEIVE_MESSAGES = 1024;
/**
 * recvmmsg calls in one pass, so that drops are looked for under a flood that never lets the socket run
 * empty.
 */
const PASS_CALLS = 16;
/** No message costs less of the buffer. */
const MESSAGE_TRUESIZE_MIN = 256;
const CLOCK_STEP_US = 100_000;
const LOOK_MS = 100;
/** Drops that go on are reported as one gap, and at least this often. */
const GAP_REPORT_US = 1_000_000;
/** Between two looks lie a nap and a turn of the event loop: whoever takes longer was not running. */
const STALL_US = 100_000;

const Pass = { idle: 0, traffic: 1, ringFull: 2 } as const;
type Pass = (typeof Pass)[keyof typeof Pass];

export class EventReceiver {
  readonly totals: ReceiverTotals = {
    receivedMessages: 0,
    drains: 0,
    receiveCalls: 0,
    droppedMessages: 0,
    deliveryFailures: 0,
    queueHighWaterBytes: 0,
    ringHighWaterSlots: 0,
    fullRingNaps: 0,
    clockSteps: 0,
    complete: true,
  };
  readonly #options: ReceiverOptions;
  readonly #nap: NapLength;
  #stopping = false;
  #abandoned = false;
  readonly #controls: [Control, ...number[]][] = [];
  /** To be put once the socket was empty, or that many messages have come. */
  readonly #marks: { readonly mark: number; readonly behind: number }[] = [];
  /** 0 when the socket was opened: what was dropped before the first look belongs to the first gap. */
  #dropsSeen = 0;
  #lookedAtUs: number;
  #gap: Loss | undefined;
  #reliable = false;
  /** Reliable at some time since the last look. */
  #countsAttempts = false;
  #lookDueMs = 0;
  /**
   * Why the ring was found full since the last look, as an index in LOSS_CAUSES; `bufferTooSmall` when it was
   * not.
   */
  #obstacle: number = LossCause.bufferTooSmall;
  /** How long the next look may be away because nothing comes. */
  #pauseUs = 0;
  /** Wall clock minus monotonic clock when last looked at. */
  #clockOffsetUs: number;

  constructor(
    readonly socket: EventSocket,
    readonly producer: RingProducer,
    options: ReceiverOptions = {},
  ) {
    this.#options = options;
    this.#nap = new NapLength((2 * socket.rcvbufBytes) / EVENT_TRUESIZE_BYTES, options.napMs);
    this.#lookedAtUs = wallClockUs();
    this.#clockOffsetUs = this.#lookedAtUs - performance.now() * 1000;
  }

  /**
   * Whether a listener, this socket or another, is in reliable mode: then the kernel sends events again, and
   * its drop counter counts attempts to deliver.
   */
  set reliable(possible: boolean) {
    this.#reliable = possible;
    this.#countsAttempts ||= possible;
  }

  /**
   * Receives until `stop`; rejects with SystemFailure when the socket fails. Ends early when the consumer
   * died.
   */
  async start(): Promise<void> {
    let idleDrainsLeft = IDLE_DRAINS;
    while (!this.#stopping && this.#canGoOn()) {
      if (this.#burst(idleDrainsLeft) === Pass.idle) {
        this.#pauseUs = POLL_MS * 1000;
        idleDrainsLeft = (await this.socket.poll(POLL_MS)) ? IDLE_DRAINS : 1;
      } else await nextTurn();
    }
  }

  /**
   * Leave both groups, drain what the socket holds (waiting for room in the ring as long as it takes), and
   * report the last gap. Everything and every control queued so far is in the ring afterwards. The socket
   * stays open: close it after `start` ended, or `abandon` it before.
   */
  async stop(): Promise<Readonly<ReceiverTotals>> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.socket.leave();
      this.socket.wake();
    }
    while (this.#canGoOn()) {
      if (this.#pass() === Pass.idle && this.#gap === undefined && this.#controls.length === 0)
        return this.totals;
      await sleep(1);
    }
    this.totals.complete = false;
    return this.totals;
  }

  /** Touch the socket no more: it is about to be closed. What it holds is given up. */
  abandon(): void {
    this.#abandoned = true;
  }

  /** Put a control slot in order with the messages received so far; kept while the ring is full. */
  control(kind: Control, ...args: number[]): void {
    this.#controls.push([kind, ...args]);
    this.#putControls();
  }

  /** Put `Control.flush` with this number behind what the socket holds now. */
  mark(mark: number): void {
    const behind = this.totals.receivedMessages + this.socket.memInfo().limitBytes / MESSAGE_TRUESIZE_MIN;
    this.#marks.push({ mark, behind });
    this.socket.wake();
  }

  /**
   * Passes and synchronous naps, for at most BURST_MS; idle after `idleDrainsLeft` empty ones in a row.
   */
  #burst(idleDrainsLeft: number): Pass {
    const end = performance.now() + BURST_MS;
    let idleDrains = 0;
    for (;;) {
      const pass = this.#pass();
      if (pass === Pass.idle && ++idleDrains >= idleDrainsLeft) return Pass.idle;
      if (pass === Pass.traffic) {
        idleDrains = 0;
        idleDrainsLeft = IDLE_DRAINS;
      } else if (pass === Pass.ringFull) {
        this.totals.fullRingNaps++;
        if (!this.#canGoOn()) return pass;
      }
      if (performance.now() >= end) return pass === Pass.idle ? Pass.traffic : pass;
      sleepMicroseconds(this.#nap.us);
    }
  }

  /** One look at the drop counter and one drain. */
  #pass(): Pass {
    if (!this.#putControls() || this.producer.free() === 0) {
      this.#noteFullRing();
      return Pass.ringFull;
    }
    this.#look();
    this.totals.drains++;
    const nowUs = wallClockUs();
    this.#watchClock(nowUs);
    const quiet = this.#watchDrops(nowUs);
    const pass = this.#drain(nowUs);
    if (quiet && this.#gap !== undefined) this.#reportGap();
    return pass;
  }

  #look(): void {
    const nowMs = performance.now();
    if (this.#options.look === undefined || nowMs < this.#lookDueMs) return;
    this.#lookDueMs = nowMs + LOOK_MS;
    this.#options.look();
  }

  #drain(nowUs: number): Pass {
    const { producer, totals } = this;
    let result: Pass = Pass.idle;
    let isEmpty = false;
    for (let calls = 0; calls < PASS_CALLS; calls++) {
      const wanted = producer.writable(RECEIVE_MESSAGES);
      if (wanted === 0) {
        result = Pass.ringFull;
        break;
      }
      const received = this.socket.receive(producer, wanted);
      totals.receiveCalls++;
      if (received > 0) {
        result = Pass.traffic;
        producer.ring.timesUs.fill(
          calls === 0 ? nowUs : wallClockUs(),
          producer.index,
          producer.index + received,
        );
        producer.publish(received);
        totals.receivedMessages += received;
      }
      if (received < wanted) {
        isEmpty = true;
        break;
      }
    }
    totals.ringHighWaterSlots = producer.highWater;
    if (result === Pass.ringFull) this.#noteFullRing();
    if (this.#marks.length > 0) this.#putMarks(isEmpty);
    return result;
  }

  #putMarks(isEmpty: boolean): void {
    while (this.#marks.length > 0 && (isEmpty || this.totals.receivedMessages >= this.#marks[0].behind))
      this.control(ControlKind.flush, this.#marks.shift()!.mark);
  }

  #noteFullRing(): void {
    this.#nap.adapt(1);
    const cause = this.#options.diskIsSlow?.() ? LossCause.diskStalled : LossCause.parserStalled;
    this.#obstacle = Math.max(this.#obstacle, cause);
  }

  /** True when nothing was dropped since the last look. */
  #watchDrops(nowUs: number): boolean {
    const { totals } = this;
    const { queuedBytes, limitBytes, drops } = this.socket.memInfo();
    this.#nap.adapt(drops === this.#dropsSeen ? queuedBytes / limitBytes : 1);
    if (queuedBytes > totals.queueHighWaterBytes) totals.queueHighWaterBytes = queuedBytes;
    const lost = (drops - this.#dropsSeen) >>> 0;
    const lookedBeforeUs = this.#lookedAtUs;
    const cause = this.#causeOf(nowUs - lookedBeforeUs);
    this.#lookedAtUs = nowUs;
    this.#pauseUs = 0;
    this.#obstacle = LossCause.bufferTooSmall;
    const countsAttempts = this.#countsAttempts;
    this.#countsAttempts = this.#reliable;
    if (lost === 0) return true;
    this.#dropsSeen = drops;
    totals.droppedMessages += lost;
    if (countsAttempts) totals.deliveryFailures += lost;
    this.#gap ??= { lost: 0, fromUs: lookedBeforeUs, toUs: nowUs, cause, certainty: Certainty.exact };
    const gap = this.#gap;
    gap.lost += lost;
    gap.toUs = nowUs;
    gap.cause = Math.max(gap.cause, cause);
    if (countsAttempts) gap.certainty = Certainty.atMost;
    if (nowUs - gap.fromUs >= GAP_REPORT_US) this.#reportGap();
    return false;
  }

  /** What keeps it from draining, as an index in LOSS_CAUSES. */
  #causeOf(sinceLastLookUs: number): number {
    if (this.#obstacle !== LossCause.bufferTooSmall) return this.#obstacle;
    return sinceLastLookUs >= this.#pauseUs + STALL_US ? LossCause.readerStalled : LossCause.bufferTooSmall;
  }

  #reportGap(): void {
    const gap = this.#gap!;
    this.#gap = undefined;
    const { lost, fromUs, toUs, cause, certainty } = gap;
    const { queueHighWaterBytes, ringHighWaterSlots } = this.totals;
    const marks = [queueHighWaterBytes, ringHighWaterSlots];
    this.control(ControlKind.gap, lost, fromUs, toUs, cause, certainty, ...marks);
    this.#options.onLoss?.(gap);
  }

  #watchClock(nowUs: number): void {
    const before = performance.now();
    const wallUs = wallClockUs();
    const after = performance.now();
    if (after - before > 1) return; // interrupted between the two clocks: no comparison
    const offsetUs = wallUs - before * 1000;
    const stepUs = offsetUs - this.#clockOffsetUs;
    this.#clockOffsetUs = offsetUs;
    if (Math.abs(stepUs) <= CLOCK_STEP_US) return;
    this.totals.clockSteps++;
    this.control(ControlKind.clockStep, Math.round(stepUs), nowUs);
  }

  /** True when none is left. */
  #putControls(): boolean {
    const controls = this.#controls;
    while (controls.length > 0) {
      if (!putControl(this.producer, ...controls[0])) return false;
      controls.shift();
    }
    return true;
  }

  #canGoOn(): boolean {
    if (this.#abandoned) return false;
    return Atomics.load(this.producer.ring.control, STATE_WORD) === RingState.open;
  }
}
