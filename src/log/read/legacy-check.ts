/** `-T` for the ancestor's files: format 2 has no checksums, so only what cannot be true can be found. */
import { LEGACY_EVENT_BYTES, LEGACY_HEADER_BYTES } from './legacy-header.js';
import type { Damage, LogSource } from './source.js';

/** Kept and printed one by one; more are only counted. */
const MAX_PROBLEMS = 100;
/** A step back of the clock by more than this, or no event for longer than that, is worth a look. */
const MAX_BACK_US = 60e6;
const MAX_AHEAD_US = 86_400e6;

export interface LegacyCheck {
  /** Plausible entries. */
  readonly entries: number;
  readonly problemCount: number;
  /** The first MAX_PROBLEMS problems in file order. */
  readonly problems: readonly Damage[];
  /** To be said with every result. */
  readonly note: string;
}

/** Read a whole source of format 2 and judge it. The source is used up; the caller closes it. */
export async function checkLegacy(source: LogSource): Promise<LegacyCheck> {
  const problems: Damage[] = [];
  let problemCount = 0;
  let entries = 0;
  let offsetBytes = LEGACY_HEADER_BYTES;
  let previousUs = source.header.startUs;
  const report = (problem: Damage) => {
    problemCount++;
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
  };
  for await (const item of source.items()) {
    if (item.type === 'damage') {
      report(item.damage);
      offsetBytes = item.damage.offsetBytes + item.damage.lengthBytes;
    } else if (item.type === 'records') {
      const { timeUs, count } = item.batch;
      entries += count;
      // Connections do not stand in the order of their starts.
      if (source.header.squeezed) continue;
      for (let row = 0; row < count; row++, offsetBytes += LEGACY_EVENT_BYTES) {
        const aheadUs = timeUs[row] - previousUs;
        previousUs = timeUs[row];
        if (aheadUs >= -MAX_BACK_US && aheadUs <= MAX_AHEAD_US) continue;
        const what = `the time jumps ${aheadUs < 0 ? 'back' : 'ahead'} by ${Math.round(Math.abs(aheadUs) / 1e6)} s`;
        report({ code: 'implausible', offsetBytes, lengthBytes: LEGACY_EVENT_BYTES, what });
      }
    }
  }
  const note =
    'format 2 has no checksums: only implausible types, times and sizes can be detected, not changed addresses or ports';
  return { entries, problemCount, problems, note };
}
