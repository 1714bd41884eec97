/** Whether files are cut where their names change: names are in local time, boundaries may be in UTC. */
import { nextBoundaryUs } from '../../base/time/boundaries.js';
import { localZone } from '../../base/time/zone.js';
import { fileName, fileNameAt } from '../../log/format/names.js';
import type { RecorderOptions } from './options.js';

const DAY_US = 86_400e6;
const YEAR_DAYS = 366;
const DAY_MINUTES = 1440;

/**
 * One line for the log when, within a year, a boundary falls into the middle of a day or an hour that has one
 * name, and rotation in local time would not do that: the first such boundary, and the option. Undefined when
 * all is well.
 */
export function misplacedRotation(options: RecorderOptions, openedUs: number): string | undefined {
  const { fileTemplate, rotateMinutes, rotateLocal } = options;
  if (rotateLocal || rotateMinutes === 0 || DAY_MINUTES % rotateMinutes !== 0) return undefined;
  const zone = localZone();
  const intervalSeconds = rotateMinutes * 60;
  // Whether a boundary is misplaced changes with the offset, so that one of each day tells.
  for (let day = 0; day < YEAR_DAYS; day++) {
    const boundaryUs = nextBoundaryUs(openedUs + day * DAY_US, rotateMinutes);
    const second = boundaryUs / 1e6;
    const offset = zone.offsetSecondsAt(second);
    const lateSeconds = (((second + offset) % intervalSeconds) + intervalSeconds) % intervalSeconds;
    if (lateSeconds === 0 || hasNewName(fileTemplate, boundaryUs)) continue;
    if (!hasNewName(fileTemplate, boundaryUs - lateSeconds * 1e6)) continue;
    const due = fileNameAt('%Y-%m-%d %H:%M', boundaryUs, offset);
    return (
      `-t ${rotateMinutes} counts in UTC, so the file due at ${due} local time begins in the middle of the period ` +
      `that its name stands for (${fileTemplate}); add --rotate-local to count from local midnight`
    );
  }
  return undefined;
}

function hasNewName(template: string, timeUs: number): boolean {
  return fileName(template, timeUs) !== fileName(template, timeUs - 1e6);
}
