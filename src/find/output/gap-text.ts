/** What a listing says about gaps: a line each when asked for, and always a sum. */

import { counted } from '../../base/counted.js';
import { printable } from '../../base/printable.js';
import type { TimeWriter } from '../../base/time/time-text.js';
import type { GapRecord } from '../../event/gap.js';

/** `# gap FROM TO lost=N|<=N|unknown cause=...` */
export function gapLine(gap: GapRecord, times: TimeWriter): string {
  const from = times.text(gap.fromUs);
  return `# gap ${from} ${times.text(gap.toUs)} lost=${lostText(gap)} cause=${printable(gap.cause)}`;
}

function lostText(gap: GapRecord): string {
  if (gap.certainty === 'unknown') return 'unknown';
  return gap.certainty === 'exact' ? String(gap.lost) : `<=${gap.lost}`;
}

export class GapSum {
  count = 0;
  /** Events lost in gaps of exact size; the upper bounds of others; gaps of which nothing is known. */
  lost = 0;
  lostAtMost = 0;
  unknown = 0;

  add({ certainty, lost }: GapRecord): void {
    this.count++;
    if (certainty === 'unknown') this.unknown++;
    else if (certainty === 'exact') this.lost += lost;
    else this.lostAtMost += lost;
  }

  addSum({ count, lost, lostAtMost, unknown }: GapSum): void {
    this.count += count;
    this.lost += lost;
    this.lostAtMost += lostAtMost;
    this.unknown += unknown;
  }

  /** `2 gaps: at most 17 events lost, and an unknown number in 1 of them`; empty without gaps. */
  text(): string {
    if (this.count === 0) return '';
    const gaps = counted(this.count, 'gap');
    if (this.unknown === this.count) return `${gaps}: an unknown number of events lost`;
    const sum = this.lost + this.lostAtMost;
    const lost = `${this.lostAtMost > 0 ? 'at most ' : ''}${counted(sum, 'event')} lost`;
    return `${gaps}: ${lost}${this.unknown > 0 ? `, and an unknown number in ${this.unknown} of them` : ''}`;
  }
}
