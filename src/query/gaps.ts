/** What a listing says about gaps: a line each when asked for, and always a sum. */
import type { GapRecord } from '../log/source.js';
import { printable } from '../printable.js';
import type { TimeWriter } from './time.js';

/** `# gap FROM TO lost=N|<=N|unknown cause=...`, with its newline. */
export function gapLine(gap: GapRecord, times: TimeWriter): string {
  const from = times.text(gap.fromUs);
  return `# gap ${from} ${times.text(gap.toUs)} lost=${lostText(gap)} cause=${printable(gap.cause)}\n`;
}

function lostText(gap: GapRecord): string {
  if (gap.certainty === 'unknown') return 'unknown';
  return gap.certainty === 'exact' ? String(gap.lost) : `<=${gap.lost}`;
}

export class GapSum {
  count = 0;
  #lost = 0;
  #isUpperBound = false;
  #unknown = 0;

  add(gap: GapRecord): void {
    this.count++;
    if (gap.certainty === 'unknown') this.#unknown++;
    else this.#lost += gap.lost;
    if (gap.certainty === 'at-most') this.#isUpperBound = true;
  }

  /** `2 gaps: at most 17 events lost, and an unknown number in 1 of them`; empty without gaps. */
  text(): string {
    if (this.count === 0) return '';
    const gaps = `${this.count} gap${this.count === 1 ? '' : 's'}`;
    if (this.#unknown === this.count) return `${gaps}: an unknown number of events lost`;
    const lost = `${this.#isUpperBound ? 'at most ' : ''}${this.#lost} event${this.#lost === 1 ? '' : 's'} lost`;
    return `${gaps}: ${lost}${this.#unknown > 0 ? `, and an unknown number in ${this.#unknown} of them` : ''}`;
  }
}
