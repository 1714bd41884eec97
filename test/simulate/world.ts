/**
 * A world from a seed: one or two recorders on one disk, traffic, clocks that are set, disks that fill and
 * fail, neighbours, operators, kills and power cuts. `live` throws Broken when a promise is.
 */

import { SystemFailure } from '../../src/base/errors.js';
import { LIVE_SUFFIX } from '../../src/log/format/format.js';
import { Control } from '../../src/record/stage/control.js';
import type { WriterEvent } from '../../src/record/writer/writer-task.js';
import { drawOptions } from './draw-options.js';
import { FAULTS, type Fault } from './fault-classes.js';
import { Oracle } from './oracle.js';
import { Random } from './random.js';
import { contentsOf, digestOf } from './reading.js';
import { SimClock } from './sim-clock.js';
import { SimDisk } from './sim-disk.js';
import { Killed, SimProcess } from './sim-process.js';
import { type SimOptions, SimRecorder } from './sim-recorder.js';
import { squeezed } from './squeezed.js';

/** 1 March 2026, 10:30 UTC */
const BEGIN_US = 1772361000e6;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const EVENTS_MIN = 5000;
const ROTATIONS_MIN = 5;
const RESTARTS_MIN = 2;
const FAULTS_MIN = 3;
const ACTS_MAX = 1500;
/** The kernel's source reports a step of the wall clock from here on. */
const STEP_MS_MIN = 100;

export interface Account {
  readonly seed: number;
  readonly events: number;
  readonly rotations: number;
  readonly restarts: number;
  readonly faults: readonly Fault[];
}

export class World {
  readonly #random: Random;
  readonly #clock: SimClock;
  readonly #disk: SimDisk;
  readonly oracle: Oracle;
  readonly #options: SimOptions;
  /** Another gateway with the same configuration, in the same directory. */
  readonly #neighbour: SimOptions;
  #recorder: SimRecorder | undefined;
  #runs = 0;
  #events = 0;
  #rotations = 0;
  #restarts = -1;
  readonly #faults: Fault[] = [];
  #noticedMs = 0;
  #waits = 0;
  #files = 0;

  constructor(
    readonly seed: number,
    /** Draw only from these. */
    readonly classes: readonly Fault[] = FAULTS,
  ) {
    this.#random = new Random(seed);
    this.#clock = new SimClock(BEGIN_US);
    this.oracle = new Oracle(this.#clock);
    this.#disk = new SimDisk(this.#clock, this.oracle);
    this.oracle.disk = this.#disk;
    this.#options = drawOptions(this.#random);
    this.#neighbour = { ...this.#options, name: 'B', host: { hostname: 'gw-b', bootId: '' } };
  }

  async live(): Promise<Account> {
    for (let acts = 0; !this.#isEnough() && acts < ACTS_MAX; acts++) await this.#act();
    await this.#atPeace();
    this.oracle.judge();
    return {
      seed: this.seed,
      events: this.#events,
      rotations: this.#rotations,
      restarts: this.#restarts,
      faults: this.#faults,
    };
  }

  #isEnough(): boolean {
    return (
      this.#events >= EVENTS_MIN &&
      this.#rotations >= ROTATIONS_MIN &&
      this.#restarts >= RESTARTS_MIN &&
      this.#faults.length >= FAULTS_MIN
    );
  }

  async #act(): Promise<void> {
    const random = this.#random;
    if (this.#recorder === undefined) {
      await this.#start(this.#options);
      return;
    }
    const draw = random.below(100);
    await this.#alive(async (recorder) => {
      if (draw < 50) await this.#traffic(recorder);
      else if (draw < 78) await this.#idle(recorder);
      else if (draw < 84) await recorder.control(Control.rotate, this.#clock.wallUs());
      else if (draw < 86) await recorder.control(Control.flush, 1);
      else if (draw < 90) await this.#stop();
      else await this.#fault(random.pick(this.classes));
    });
  }

  /** Whatever a recorder does may kill it. */
  async #alive(what: (recorder: SimRecorder) => Promise<void>): Promise<void> {
    const recorder = this.#recorder!;
    try {
      await what(recorder);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.#killed(recorder);
    }
  }

  async #start(options: SimOptions): Promise<void> {
    const name = `${options.name}#${++this.#runs}`;
    const runId = BigInt(this.seed) * 1000n + BigInt(this.#runs);
    const disk = new SimProcess(this.#disk, name);
    const hear = (event: WriterEvent): void => {
      if (event.type === 'closed') this.#rotations++;
      if (process.env.SIMULATE_LOG !== undefined)
        console.log(this.#clock.trueMs, name, JSON.stringify(event));
      this.oracle.heard(event, options.retention, options.minFreeBytes);
    };
    const recorder = new SimRecorder(options, runId, this.#clock, disk, hear);
    recorder.onEvent = (number) => this.oracle.noteEvent(number, recorder);
    recorder.onWait = () => this.#helpSoon();
    this.oracle.runBegins(options.name, this.#runs, recorder);
    this.#recorder = recorder;
    this.#noticedMs = this.#clock.offsetMs;
    try {
      await recorder.open();
      if (options === this.#options) this.#restarts++;
    } catch (error) {
      // A start that cannot be ends with its line; the operator makes room and tries again.
      if (!(error instanceof Killed) && !(error instanceof SystemFailure)) throw error;
      this.#killed(recorder);
      this.#heal();
    }
  }

  async #stop(): Promise<void> {
    const recorder = this.#recorder!;
    await recorder.stop();
    this.oracle.runEnds(recorder);
    recorder.kill();
    this.#recorder = undefined;
    this.#clock.pass(this.#random.between(1000, 4 * MINUTE_MS));
  }

  #killed(recorder: SimRecorder): void {
    recorder.kill();
    this.oracle.runEnds(recorder);
    this.#recorder = undefined;
    this.#clock.pass(this.#random.between(1000, 4 * MINUTE_MS));
  }

  async #traffic(recorder: SimRecorder): Promise<void> {
    const count = this.#random.between(40, 560);
    const ms = this.#random.between(100, 2500);
    const first = this.#events;
    this.#events += count;
    await recorder.take(first, count, ms);
    await this.#noticeClock(recorder);
  }

  /** The rest of an interval or two, in which rotations come due one at a time. */
  async #idle(recorder: SimRecorder): Promise<void> {
    const intervalMs = this.#options.rotateMinutes * MINUTE_MS;
    const steps = this.#random.between(1, 6);
    for (let i = 0; i < steps; i++) {
      this.#clock.pass(i === 0 ? 1500 : intervalMs * 0.4);
      await this.#noticeClock(recorder);
      await recorder.settle();
    }
  }

  /** The kernel's source compares the clocks at each look and tells a step. */
  async #noticeClock(recorder: SimRecorder): Promise<void> {
    const stepMs = this.#clock.offsetMs - this.#noticedMs;
    if (Math.abs(stepMs) < STEP_MS_MIN) return;
    this.#noticedMs = this.#clock.offsetMs;
    await recorder.control(Control.clockStep, Math.round(stepMs * 1000), this.#clock.wallUs());
  }

  async #fault(fault: Fault): Promise<void> {
    const random = this.#random;
    const clock = this.#clock;
    const recorder = this.#recorder!;
    this.#faults.push(fault);
    if (fault.startsWith('clock') || fault === 'start-with-wrong-clock') this.oracle.hasClockFaults = true;
    switch (fault) {
      case 'clock-step':
        clock.step(random.pick([-1, 1]) * random.between(200, 2 * 3_600_000));
        await this.#noticeClock(recorder);
        break;
      case 'clock-step-days': {
        const days = random.pick([-3, 2, 40, 200, 7168]);
        clock.step(days * DAY_MS);
        await this.#noticeClock(recorder);
        await this.#idle(recorder);
        if (random.chance(0.7)) clock.step(-days * DAY_MS);
        await this.#noticeClock(recorder);
        break;
      }
      case 'clock-slow':
        clock.rate = random.pick([0.5, 0.99, 1.02, 1]);
        break;
      case 'clock-frozen':
        clock.rate = 0;
        await this.#traffic(recorder);
        await this.#idle(recorder);
        clock.rate = 1;
        break;
      case 'start-with-wrong-clock': {
        await this.#stop();
        const days = random.pick([-2, 0.04, 45, 200]);
        clock.step(days * DAY_MS);
        await this.#start(this.#options);
        clock.step(-days * DAY_MS);
        if (this.#recorder !== undefined) await this.#noticeClock(this.#recorder);
        break;
      }
      case 'kill':
        this.#killed(recorder);
        break;
      case 'kill-at-call':
        recorder.process.killAfterCalls = random.between(1, 60);
        break;
      case 'power-loss':
        this.#killed(recorder);
        this.#disk.losePower(random);
        break;
      case 'disk-error':
        this.#fail('EIO', random.pick(['write', 'sync', 'rename', 'create', 'truncate', 'syncDirectory']));
        break;
      case 'disk-read-only':
        this.#fail('EROFS', 'write');
        break;
      case 'short-writes':
        this.#fail('short', 'write');
        break;
      case 'disk-full':
        this.#disk.capacityBytes = this.#disk.usedBytes + random.below(3000);
        break;
      case 'no-inodes':
        this.#disk.inodesMax = this.#disk.inodes.size;
        break;
      case 'directory-moved':
        this.#moveDirectory();
        break;
      case 'foreign-files':
        this.#putForeignFiles();
        break;
      case 'squeezed-files':
        if (random.chance(0.7)) await this.#stop();
        this.#squeezeFinished();
        break;
      case 'hold-by-link':
        this.#holdOldest();
        break;
      case 'other-host':
        await this.#stop();
        await this.#neighbourRuns();
        break;
      case 'goal-out-of-reach':
        if (this.#options.minFreeBytes > 0) this.#disk.capacityBytes = this.#options.minFreeBytes / 2;
        break;
    }
  }

  #fail(code: 'EIO' | 'EROFS' | 'short', operation: string): void {
    let left = this.#random.between(1, 4);
    this.#disk.fault = (called) => {
      if (called !== operation || left-- <= 0) return undefined;
      return code;
    };
  }

  /** While the writer waits for the disk, the world sooner or later helps it, or ends it. */
  #helpSoon(): void {
    if (++this.#waits % 3 !== 0) return;
    if (this.#random.chance(0.1)) {
      this.#recorder!.process.kill();
      throw new Killed('waiting');
    }
    this.#heal();
  }

  #heal(): void {
    this.#disk.fault = () => undefined;
    this.#disk.capacityBytes = Number.POSITIVE_INFINITY;
    this.#disk.inodesMax = Number.POSITIVE_INFINITY;
  }

  /** Somebody moves the logs away: what is in them stays where it went. */
  #moveDirectory(): void {
    if (!this.#disk.names.has('/log') || this.#recorder === undefined) return;
    const to = `/moved-${++this.#files}`;
    for (const made of this.oracle.made)
      if (made.inode.links > 0) {
        made.last = contentsOf(made.inode);
        made.excused = true;
      }
    this.#killed(this.#recorder);
    this.#disk.moveDirectory('/log', to);
    this.oracle.moved('/log', to);
  }

  /** Files that look like the recorder's: copies of its own under other names, half logs, others' logs. */
  #putForeignFiles(): void {
    const random = this.#random;
    const finished = this.#finishedFiles().filter(([path]) => path.startsWith('/log/'));
    if (finished.length === 0) return;
    const [path, inode] = random.pick(finished);
    const bytes = inode.data.slice(0, inode.bytes);
    const spoilt = Buffer.from(bytes);
    spoilt.write('gw-x', Math.max(0, spoilt.indexOf('gw-a')));
    for (const [name, content] of [
      [`${path}.bak`, bytes],
      [`${path}.99`, spoilt],
      [`${path.replace(/\d/, '9')}${LIVE_SUFFIX}`, new Uint8Array(random.below(40))],
    ] as const) {
      if (this.#disk.names.has(name) || content.length === 0) continue;
      const foreign = this.#disk.put(name, content);
      this.oracle.foreign.set(name, digestOf(foreign));
    }
  }

  /** As `-S` does with each finished file: another inode in its place, that names what it stands for. */
  #squeezeFinished(): void {
    for (const [path, inode] of this.#finishedFiles()) {
      const made = this.oracle.made.find((candidate) => candidate.inode === inode);
      const contents = contentsOf(inode);
      if (made === undefined || contents?.isClosed !== true || contents.meta.squeezed) continue;
      const bytes = squeezed(path, contents, inode);
      made.last = contents;
      this.oracle.squeezes(made, this.#disk.put(`${path}.new`, bytes, inode.maker));
      this.#disk.moveOver(`${path}.new`, path);
    }
  }

  #holdOldest(): void {
    const [oldest] = this.#finishedFiles();
    if (oldest === undefined || this.#options.retention === undefined) return;
    const [path] = oldest;
    if (this.#disk.names.has('/held')) return;
    this.#disk.link('/held', path.slice(0, path.lastIndexOf('/')));
    const name = `/held/nat.ct`;
    if (this.#options.retention.holds.includes(name)) this.oracle.heldPaths.push(name);
  }

  async #neighbourRuns(): Promise<void> {
    if (this.#recorder !== undefined) return;
    await this.#start(this.#neighbour);
    if (this.#recorder === undefined) return;
    await this.#alive((recorder) => this.#traffic(recorder));
    if (this.#recorder === undefined) return;
    if (this.#random.chance(0.4)) this.#killed(this.#recorder);
    else await this.#alive(() => this.#stop());
  }

  #finishedFiles() {
    return [...this.#disk.names].flatMap(([path, number]) => {
      const inode = this.#disk.inodes.get(number)!;
      const isOwn = inode.kind === 'file' && inode.maker.startsWith('A#');
      return isOwn && !path.endsWith(LIVE_SUFFIX) && !path.includes('.torn') ? [[path, inode] as const] : [];
    });
  }

  /** A disk that works, a start that recovers, a little traffic, a stop; for each recorder there was. */
  async #atPeace(): Promise<void> {
    this.#heal();
    this.#clock.rate = 1;
    if (this.#recorder !== undefined) {
      this.#recorder.process.killAfterCalls = Number.POSITIVE_INFINITY;
      await this.#alive(() => this.#stop());
    }
    const others = this.oracle.runs.some(({ recorder }) => recorder === 'B');
    for (const options of others ? [this.#neighbour, this.#options] : [this.#options]) {
      await this.#start(options);
      if (this.#recorder === undefined) continue;
      await this.#traffic(this.#recorder);
      await this.#stop();
    }
  }
}
