/** A wall clock that is wrong for a moment removes nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../src/base/time/clock.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { ClockTrust } from '../../../src/record/writer/clock-trust.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import { Events, START_US } from './writer-helper.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

class Clocks implements Clock {
  monotonic = 0;
  offset = 0;
  synchronised = false;
  readonly events = new Events();
  readonly stats = createStats();
  trust = this.start();

  start(isTrusted = false): ClockTrust {
    this.trust = new ClockTrust(this, this.stats, this.events.emit, isTrusted);
    return this.trust;
  }

  wallUs(): number {
    return START_US + (this.monotonic + this.offset) * 1000;
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  isSynchronised(): boolean {
    return this.synchronised;
  }

  /** Looked at all the time. */
  pass(ms: number, everyMs = 1000, wallRate = 1): void {
    for (let done = 0; done < ms; done += everyMs) {
      this.monotonic += everyMs;
      this.offset += everyMs * (wallRate - 1);
      this.trust.look();
    }
  }
}

test('a step of a second and more is doubted, for 24 hours without another; slewing is not', () => {
  const clocks = new Clocks();
  clocks.pass(3 * HOUR_MS, 1000, 1.0005);
  assert.ok(!clocks.trust.isInDoubt);
  clocks.offset += 619_315_200_000;
  clocks.pass(4000);
  clocks.offset -= 619_315_200_000;
  clocks.pass(DAY_MS - 2000);
  assert.ok(clocks.trust.isInDoubt);
  assert.equal(clocks.stats[WriterStat.clockInDoubt], 1);
  assert.equal(
    clocks.events.logged(/is in doubt: it went ahead by 619315200\.0 s .*--trust-clock/).length,
    1,
  );
  clocks.pass(3000);
  assert.ok(!clocks.trust.isInDoubt);
  assert.equal(clocks.stats[WriterStat.clockInDoubt], 0);
  assert.equal(clocks.events.logged(/steady: files are removed by age again/).length, 1);
});

test('a frozen clock, and one at half its speed, are doubted within seconds', () => {
  for (const rate of [0, 0.5]) {
    const clocks = new Clocks();
    clocks.pass(5000, 100, rate);
    assert.ok(clocks.trust.isInDoubt, `rate ${rate}`);
  }
});

test('one hour with the kernel’s clock synchronised throughout ends the doubt, a part of it does not', () => {
  const clocks = new Clocks();
  clocks.offset += 5000;
  clocks.synchronised = true;
  clocks.pass(HOUR_MS - 60_000);
  clocks.synchronised = false;
  clocks.pass(1000);
  clocks.synchronised = true;
  clocks.pass(HOUR_MS - 60_000);
  assert.ok(clocks.trust.isInDoubt);
  clocks.pass(120_000);
  assert.ok(!clocks.trust.isInDoubt);
});

test('a start earlier than the log, or more than a day later, is doubted, and one after doubt', () => {
  const doubts = (ask: (trust: ClockTrust) => void, isTrusted = false): boolean => {
    const trust = new Clocks().start(isTrusted);
    ask(trust);
    return trust.isInDoubt;
  };
  assert.ok(doubts((trust) => trust.compareWithLog(START_US + 1)));
  assert.ok(doubts((trust) => trust.compareWithLog(START_US - 25 * HOUR_MS * 1000)));
  assert.ok(!doubts((trust) => trust.compareWithLog(START_US - 23 * HOUR_MS * 1000)));
  assert.ok(doubts((trust) => trust.stillInDoubt()));
  assert.ok(!doubts((trust) => trust.compareWithLog(START_US + 1), true), '--trust-clock');
});
