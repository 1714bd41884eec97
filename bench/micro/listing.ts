/** Printing rows, into memory. */

import { utcZone } from '../../src/base/time/zone.js';
import { JsonWriter } from '../../src/find/output/json.js';
import { LineWriter, MAX_LINE_BYTES } from '../../src/find/output/lines.js';
import type { MicroCase } from './case.js';
import { BLOCK_EVENTS, traceBatch } from './workload.js';

export function listingCases(): MicroCase[] {
  const batch = traceBatch();
  const lines = new LineWriter(utcZone, true);
  const json = new JsonWriter('nat.ct');
  const view = new DataView(new ArrayBuffer(BLOCK_EVENTS * MAX_LINE_BYTES));
  const bytes = Buffer.from(view.buffer);
  return [
    {
      name: 'listing: lines',
      unit: 'row',
      unitsPerRun: BLOCK_EVENTS,
      run: () => {
        lines.load(batch);
        let at = 0;
        for (let row = 0; row < batch.count; row++) at = lines.line(view, at, batch, row);
      },
    },
    {
      name: 'listing: JSON',
      unit: 'row',
      unitsPerRun: BLOCK_EVENTS,
      run: () => {
        json.load(batch);
        let at = 0;
        for (let row = 0; row < batch.count; row++) {
          at += bytes.write(json.row(batch, row), at);
          if (at > bytes.length - 2 * MAX_LINE_BYTES) at = 0;
        }
      },
    },
  ];
}
