/**
 * What a program recorded, against what the flood sent: each start and each end of each connection counts
 * once a turn.
 */
import type { Flood } from '../generate/flood.js';
import type { Flow } from '../generate/flow.js';

export class TruthCount {
  readonly #starts: Uint8Array;
  readonly #ends: Uint8Array;
  starts = 0;
  ends = 0;
  /** Events that were recorded already. */
  repeated = 0;
  /** Events that never happened. */
  foreign = 0;

  constructor(readonly flood: Pick<Flood, 'connections' | 'indexOf' | 'turns'>) {
    this.#starts = new Uint8Array(flood.connections);
    this.#ends = new Uint8Array(flood.connections);
  }

  /** One event that was read back. */
  take(isStart: boolean, flow: Flow): void {
    const { turns } = this.flood;
    const index = this.flood.indexOf(flow);
    if (index < 0) this.foreign++;
    else if (isStart) {
      if (this.#starts[index]++ < turns) this.starts++;
      else this.repeated++;
    } else if (this.#ends[index]++ < turns) this.ends++;
    else this.repeated++;
  }

  /** Starts recorded of the first `count` connections. */
  startsBelow(count: number): number {
    let starts = 0;
    for (let index = 0; index < count; index++) if (this.#starts[index] > 0) starts++;
    return starts;
  }
}
