/**
 * Whether age may go by the wall clock. A clock that is wrong for a few seconds must not remove an archive,
 * so one that stepped, stood still, or contradicts the log at a start is in doubt until it has proved steady.
 * Writer thread; `look` at least once a second.
 */
import type { Clock } from '../../base/time/clock.js';
import { WriterStat } from './writer-stats.js';
import type { Emit } from './writer-task.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Without a step. */
const STEADY_MS = DAY_MS;
/** Without a step, and with the kernel's word that its clock is right, all the time. */
const SYNCHRONISED_MS = HOUR_MS;
/** A clock that is being slewed is off by 0.05 % at the most, and a look takes its time. */
const TOLERANCE_MS = 1000;
const TOLERANCE_PART = 0.001;
/** Slow drift is seen against an older look; one that is too old would tolerate too much. */
const ANCHOR_MS = HOUR_MS;
/** A recorder may have been off for so long without anybody having to wonder. */
const ABSENCE_MS_MAX = DAY_MS;

interface Look {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export class ClockTrust {
  #last: Look;
  #anchor: Look;
  /** Monotonic, undefined without doubt. */
  #doubtSinceMs: number | undefined;
  #synchronisedSinceMs: number | undefined;

  constructor(
    readonly clock: Clock,
    readonly stats: Float64Array,
    readonly emit: Emit,
    /** `--trust-clock` */
    readonly isTrusted = false,
  ) {
    this.#last = this.#anchor = lookAt(clock);
  }

  get isInDoubt(): boolean {
    return this.#doubtSinceMs !== undefined;
  }

  /** `newestUs`: the last time that the log is certain of, at a start. */
  compareWithLog(newestUs: number): void {
    const aheadMs = this.clock.wallUs() / 1000 - newestUs / 1000;
    const log = `the log ends at ${timeText(newestUs / 1000)}`;
    if (aheadMs < 0) this.#doubt(`${log}, which is later`);
    else if (aheadMs > ABSENCE_MS_MAX) this.#doubt(`${log}, more than a day before`);
  }

  /** An earlier run ended before its clock had proved steady. */
  stillInDoubt(): void {
    this.#doubt('it was when the recorder ended');
  }

  /** True when doubt has ended with this look. */
  look(): boolean {
    const now = lookAt(this.clock);
    const stepMs = deviationMs(this.#last, now) || deviationMs(this.#anchor, now);
    if (stepMs !== 0) {
      this.#anchor = now;
      const how = stepMs < 0 ? 'went back or stood still' : 'went ahead';
      this.#doubt(`it ${how} by ${(Math.abs(stepMs) / 1000).toFixed(1)} s against the monotonic clock`);
    } else if (now.monotonicMs - this.#anchor.monotonicMs > ANCHOR_MS) this.#anchor = now;
    this.#last = now;
    return this.#endsDoubt(now.monotonicMs);
  }

  #doubt(why: string): void {
    if (this.isTrusted) return;
    const isNew = !this.isInDoubt;
    this.#doubtSinceMs = this.clock.monotonicMs();
    this.#synchronisedSinceMs = undefined;
    this.stats[WriterStat.clockInDoubt] = 1;
    if (!isNew) return;
    const clock = `the wall clock says ${timeText(this.clock.wallUs() / 1000)} and is in doubt: ${why}`;
    const end =
      'nothing is removed by age until it ran 24 hours without a step, or one hour synchronised; --trust-clock ends the doubt at once';
    this.#say('warn', `${clock}; ${end}`);
  }

  #endsDoubt(nowMs: number): boolean {
    if (this.#doubtSinceMs === undefined) return false;
    if (!this.clock.isSynchronised()) this.#synchronisedSinceMs = undefined;
    else this.#synchronisedSinceMs ??= nowMs;
    const isSteady = nowMs - this.#doubtSinceMs >= STEADY_MS;
    const isKept = nowMs - (this.#synchronisedSinceMs ?? nowMs) >= SYNCHRONISED_MS;
    if (!isSteady && !isKept) return false;
    this.#doubtSinceMs = undefined;
    this.stats[WriterStat.clockInDoubt] = 0;
    this.#say('info', 'the wall clock has proved steady: files are removed by age again');
    return true;
  }

  #say(level: 'info' | 'warn', message: string): void {
    this.emit({ type: 'log', level, message });
  }
}

function lookAt(clock: Clock): Look {
  return { wallMs: clock.wallUs() / 1000, monotonicMs: clock.monotonicMs() };
}

/** How far the wall clock went otherwise than the monotonic one; 0 when that is little. */
function deviationMs(then: Look, now: Look): number {
  const passedMs = now.monotonicMs - then.monotonicMs;
  const deviation = now.wallMs - then.wallMs - passedMs;
  return Math.abs(deviation) > TOLERANCE_MS + passedMs * TOLERANCE_PART ? deviation : 0;
}

function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'an impossible time' : date.toISOString();
}
