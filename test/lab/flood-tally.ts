/** A flood's connections, counted in a listing: 200,000 of them need no memory of their texts. */
import assert from 'node:assert/strict';
import { connectionText } from './connection.js';
import { type FloodPlan, floodConnection, floodIndex } from './flood.js';
import { listedEvents } from './listing.js';

/** How often each start and each end of a plan's connections is listed, by index. */
export class FloodTally {
  readonly starts: Uint8Array;
  readonly ends: Uint8Array;
  /** Lines that are not the plan's. */
  foreign = 0;

  constructor(readonly plan: FloodPlan) {
    this.starts = new Uint8Array(plan.count);
    this.ends = new Uint8Array(plan.count);
  }

  add(listing: string): void {
    for (const { letter, text } of listedEvents(listing)) {
      const end = text.slice(text.lastIndexOf('dst=') + 4);
      const colon = end.lastIndexOf(':');
      const index = floodIndex(end.slice(0, colon).replace(/[[\]]/g, ''), Number(end.slice(colon + 1)));
      const known = index < this.plan.count && connectionText(floodConnection(this.plan, index)) === text;
      if (!known || !'SE'.includes(letter)) this.foreign++;
      else (letter === 'S' ? this.starts : this.ends)[index]++;
    }
  }

  assertComplete(): void {
    assert.equal(this.foreign, 0);
    assert.equal(countOf(this.starts, 1), this.plan.count, 'starts that are there once');
    assert.equal(countOf(this.ends, 1), this.plan.count, 'ends that are there once');
  }
}

export function countOf(counts: Uint8Array, value: number): number {
  return counts.reduce((sum, count) => sum + Number(count === value), 0);
}
