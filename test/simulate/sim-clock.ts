/**
 * The clocks of a world. True time only goes on when the world says so; the wall clock is what somebody set
 * it to, and may step, run slow or fast, or stand still. The monotonic clock is true.
 */
import type { Clock } from '../../src/base/time/clock.js';

export class SimClock implements Clock {
  /** Milliseconds of true time since the world began. */
  trueMs = 0;
  /** When it was last set, true time. */
  steppedMs = Number.NEGATIVE_INFINITY;
  /** Wall clock minus true time, milliseconds. */
  offsetMs = 0;
  /** Milliseconds of wall clock per millisecond of true time. */
  rate = 1;

  constructor(readonly beginUs: number) {}

  pass(ms: number): void {
    this.trueMs += ms;
    this.offsetMs += ms * (this.rate - 1);
  }

  step(ms: number): void {
    this.steppedMs = this.trueMs;
    this.offsetMs += ms;
  }

  /** Nobody keeps it right, so that only time tells. */
  isSynchronised(): boolean {
    return false;
  }

  wallUs(): number {
    return this.beginUs + Math.round((this.trueMs + this.offsetMs) * 1000);
  }

  monotonicMs(): number {
    return this.trueMs;
  }
}
