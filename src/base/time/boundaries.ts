/**
 * When the next file is due. Intervals count from midnight of the zone's clock: in UTC that makes multiples
 * since the epoch, as the ancestor had them; in local time files begin when `date` shows midnight or full
 * hours.
 */
import { UsageError } from '../errors.js';
import { utcZone, type Zone } from './zone.js';

const DAY_MINUTES = 1440;
const DAY_SECONDS = 86_400;
/** No zone has ever changed its offset twice within this time. */
const STEP_SECONDS = 900;

/**
 * The first boundary after a time, both in microseconds: the moment from which the zone's clock shows another
 * interval than just before, or the same one all over again (01:00 to 02:00 in autumn). So no file holds
 * times of two intervals, and an interval is in one file even when it is longer (the day of 25 hours) or
 * begins late (a day whose first hour does not exist). Infinite when the interval is 0. Except in UTC the
 * interval must divide a day, else it would be counted from no midnight.
 */
export function nextBoundaryUs(timeUs: number, rotateMinutes: number, zone: Zone = utcZone): number {
  if (rotateMinutes === 0) return Number.POSITIVE_INFINITY;
  const intervalSeconds = rotateMinutes * 60;
  const intervalOf = (second: number, offset: number) => Math.floor((second + offset) / intervalSeconds);
  let second = Math.floor(timeUs / 1e6);
  for (;;) {
    const offset = zone.offsetSecondsAt(second);
    const plannedSecond = (intervalOf(second, offset) + 1) * intervalSeconds - offset;
    const change = nextChange(zone, second, plannedSecond);
    if (change === undefined) return plannedSecond * 1e6;
    const newOffset = zone.offsetSecondsAt(change);
    const isOther = intervalOf(change, newOffset) !== intervalOf(change - 1, offset);
    const isAgain = offset - newOffset >= intervalSeconds;
    if (isOther || isAgain) return change * 1e6;
    second = change;
  }
}

/** The first second after `from` and not after `to` that has another offset than `from`. */
function nextChange(zone: Zone, from: number, to: number): number | undefined {
  const offset = zone.offsetSecondsAt(from);
  for (let before = from; before < to; before += STEP_SECONDS) {
    const after = Math.min(before + STEP_SECONDS, to);
    if (zone.offsetSecondsAt(after) !== offset) return bisect(zone, before, after);
  }
  return undefined;
}

/** The first second with the offset of `high`; `low` has another. */
function bisect(zone: Zone, low: number, high: number): number {
  const offset = zone.offsetSecondsAt(high);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (zone.offsetSecondsAt(middle) === offset) high = middle;
    else low = middle;
  }
  return high;
}

/** How long before, seconds, the zone's clock showed this same time already (autumn); 0 when it did not. */
export function shownBeforeSeconds(epochSeconds: number, zone: Zone): number {
  const offset = zone.offsetSecondsAt(epochSeconds);
  const wentBack = zone.offsetSecondsAt(epochSeconds - DAY_SECONDS) - offset;
  return wentBack > 0 && zone.offsetSecondsAt(epochSeconds - wentBack) === offset + wentBack ? wentBack : 0;
}

/** UsageError when files cannot be rotated every so many minutes of local time. */
export function checkLocalRotation(rotateMinutes: number): void {
  if (rotateMinutes === 0)
    throw new UsageError('--rotate-local needs an interval: add -t MINUTES, as in -t 60 or -t 1440');
  if (DAY_MINUTES % rotateMinutes !== 0)
    throw new UsageError(
      `-t ${rotateMinutes} with --rotate-local: a day is not a whole number of such intervals; give a divisor of ${DAY_MINUTES}, like 15, 60 or ${DAY_MINUTES}`,
    );
}
