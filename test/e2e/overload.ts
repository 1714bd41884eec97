/**
 * A recorder under more than it can take: what was sent against what it recorded and what it counted as lost,
 * to the event.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { type FloodPlan, MAX_FLOOD_INDEX } from '../lab/flood.js';
import { Injector } from '../lab/inject.js';
import { ctrecorder } from '../lab/listing.js';
import type { Namespace } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';

/**
 * Bound of the memory resident at any time, whatever the load: Node with five threads, ring, four blocks, and
 * what the table keeper knows of the open connections. Measured peaks: 115 to 167 MiB; after a minute, with
 * ends lost all the time, 295 to 319.
 */
const PEAK_RSS_MIB_MAX = 400;
/** An idle recorder's timers need less; a loop that spins needs a whole second of CPU in each. */
const IDLE_CPU_MS_PER_SECOND = 50;
/** Between two looks at the statistics, which are a line of the log each. */
const LOOK_MS = 100;

export interface Accounts {
  readonly sent: number;
  readonly recorded: number;
  readonly lost: number;
  /** Causes that the gap records name. */
  readonly causes: ReadonlySet<string>;
  readonly peakRssMiB: number;
}

export class Overload {
  /** Events that the kernel was made to send. */
  sent = 0;
  #connections = 0;

  private constructor(
    readonly folder: string,
    readonly recorder: ObservedProcess,
    readonly injector: Injector,
  ) {}

  /** A recorder that is ready, with a socket buffer of `rcvbufKiB`, and somebody to send it events. */
  static async start(namespace: Namespace, folder: string, rcvbufKiB: number): Promise<Overload> {
    const args = ['-C', '-F', '-f', 'nat.ct', '-p', 'all', '-b', String(rcvbufKiB), '--progress-fd', '3'];
    const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
    await recorder.says(/recording to/);
    return new Overload(folder, recorder, await Injector.start(namespace));
  }

  /** As many connections begin and end, as fast as the kernel makes them. */
  async flood(connections: number): Promise<void> {
    const plan: FloodPlan = {
      first: this.#connections % (MAX_FLOOD_INDEX - connections),
      count: connections,
    };
    await this.injector.create(plan);
    await this.injector.flush();
    this.#connections += connections;
    this.sent += 2 * connections;
  }

  /** Floods of so many connections, one after the other, for `ms` and the rest of the last. */
  async floodFor(ms: number, connections: number): Promise<void> {
    for (const startMs = performance.now(); performance.now() - startMs < ms; ) await this.flood(connections);
  }

  /**
   * Wait until it has caught up and is idle, stop it, and compare its accounts and those of its files with
   * what was sent.
   */
  async settle(): Promise<Accounts> {
    const { recorder, sent } = this;
    await this.#caughtUp();
    await this.#idle();
    const peakRssMiB = Math.ceil(recorder.peakRssKiB() / 1024);
    const { code, stderr } = await recorder.stop();
    assert.equal(code, 0, stderr);
    const { recorded, lost } = JSON.parse(stderr.trim().split('\n').at(-1)!);
    assert.equal(recorded + lost, sent, `the recorder: ${recorded} recorded, ${lost} lost of ${sent}`);
    const files = readdirSync(this.folder).filter((name) => name.startsWith('nat.ct'));
    const stats = JSON.parse(
      ctrecorder(['stats', '--json', ...files], this.folder)
        .trim()
        .split('\n')
        .at(-1)!,
    );
    assert.equal(stats.events, recorded, 'events in the files');
    assert.equal(stats.lost, lost, 'lost as the files say');
    assert.equal(stats.gapsUnknown, 0);
    ctrecorder(['-T', ...files], this.folder);
    assert.ok(peakRssMiB <= PEAK_RSS_MIB_MAX, `${peakRssMiB} MiB at the peak`);
    return { sent, recorded, lost, causes: this.#causes(files), peakRssMiB };
  }

  /** Of every event sent it knows what became of it. */
  async #caughtUp(): Promise<void> {
    const { recorder } = this;
    for (let durable = -1, lost = 0; durable + lost !== this.sent; ) {
      const said = statistics(recorder.stderr).length;
      recorder.signal('SIGUSR1');
      await recorder.until(() => statistics(recorder.stderr).length > said, 'its statistics');
      [durable, lost] = statistics(recorder.stderr).at(-1)!;
      await pause(LOOK_MS);
    }
  }

  async #idle(): Promise<void> {
    for (let before = Number.NEGATIVE_INFINITY; ; ) {
      const cpuMs = this.recorder.cpuMs();
      if (cpuMs - before <= IDLE_CPU_MS_PER_SECOND) return;
      before = cpuMs;
      await pause(1000);
    }
  }

  #causes(files: readonly string[]): Set<string> {
    const gaps = files.map((name) =>
      ctrecorder(['-L', '-H', '--show-gaps', '-f', name, '-i', '192.0.2.1'], this.folder),
    );
    return new Set([...gaps.join('').matchAll(/^# gap .* cause=(.*)$/gm)].map(([, cause]) => cause));
  }
}

/** Events durable and lost, of each line of statistics. */
function statistics(log: string): [durable: number, lost: number][] {
  return [...log.matchAll(/statistics: \d+ received, (\d+) lost by the kernel, (\d+) durable/g)].map(
    ([, lost, durable]) => [Number(durable), Number(lost)],
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function accountsText({ sent, recorded, lost, causes, peakRssMiB }: Accounts): string {
  return `${sent} sent = ${recorded} recorded + ${lost} lost (${[...causes].join(', ')}), ${peakRssMiB} MiB at the peak`;
}
