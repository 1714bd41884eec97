/**
 * Log file names: strftime templates in local time, and the times at which a new name is due.
 *
 * Our own table: the package `strftime` (0.10) has no %G, %g and %V, writes unknown conversions as they are, and knows only
 * Node's idea of the time zone. Names of days and months are English, as in the C locale: a script that looks for yesterday's
 * file must not depend on the recorder's locale.
 */
import { statSync } from 'node:fs';
import { UsageError } from '../../base/errors.js';
import { localZone, type Zone } from '../../base/time/zone.js';
import { filePattern, type NamePattern, namePattern } from './name-pattern.js';
import { zoneAbbreviation } from '../../base/time/zone-abbreviation.js';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY_MS = 86_400_000;

interface LocalTime {
  /** Its UTC fields are the local ones. */
  readonly date: Date;
  readonly epochSeconds: number;
  readonly offsetSeconds: number;
}

/** POSIX.1-2017, strftime(), without what has no place in a name (%n, %t) or depends on a locale (%c, %x, %X). */
const conversions: Readonly<Record<string, (time: LocalTime) => string>> = {
  '%': () => '%',
  a: ({ date }) => DAYS[date.getUTCDay()].slice(0, 3),
  A: ({ date }) => DAYS[date.getUTCDay()],
  b: ({ date }) => MONTHS[date.getUTCMonth()].slice(0, 3),
  B: ({ date }) => MONTHS[date.getUTCMonth()],
  C: ({ date }) => digits(Math.floor(date.getUTCFullYear() / 100), 2),
  d: ({ date }) => digits(date.getUTCDate(), 2),
  D: (time) => format('%m/%d/%y', time),
  e: ({ date }) => String(date.getUTCDate()).padStart(2),
  F: (time) => format('%Y-%m-%d', time),
  g: ({ date }) => digits(isoThursday(date).getUTCFullYear() % 100, 2),
  G: ({ date }) => String(isoThursday(date).getUTCFullYear()),
  h: (time) => format('%b', time),
  H: ({ date }) => digits(date.getUTCHours(), 2),
  I: ({ date }) => digits(date.getUTCHours() % 12 || 12, 2),
  j: ({ date }) => digits(yearDay(date) + 1, 3),
  m: ({ date }) => digits(date.getUTCMonth() + 1, 2),
  M: ({ date }) => digits(date.getUTCMinutes(), 2),
  p: ({ date }) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  r: (time) => format('%I:%M:%S %p', time),
  R: (time) => format('%H:%M', time),
  s: ({ epochSeconds }) => String(epochSeconds),
  S: ({ date }) => digits(date.getUTCSeconds(), 2),
  T: (time) => format('%H:%M:%S', time),
  u: ({ date }) => String(date.getUTCDay() || 7),
  U: ({ date }) => digits(Math.floor((yearDay(date) + 7 - date.getUTCDay()) / 7), 2),
  V: ({ date }) => digits(Math.floor(yearDay(isoThursday(date)) / 7) + 1, 2),
  w: ({ date }) => String(date.getUTCDay()),
  W: ({ date }) => digits(Math.floor((yearDay(date) + 7 - ((date.getUTCDay() + 6) % 7)) / 7), 2),
  y: ({ date }) => digits(date.getUTCFullYear() % 100, 2),
  Y: ({ date }) => String(date.getUTCFullYear()),
  z: ({ offsetSeconds }) => numericOffset(offsetSeconds),
  Z: ({ epochSeconds, offsetSeconds }) =>
    zoneAbbreviation(epochSeconds, offsetSeconds) ?? numericOffset(offsetSeconds),
};

const CONVERSION = /%(.?)/gsu;

let zone: Zone | undefined;

/** The name that a template (strftime) gives at a time, local. The template has passed `checkTemplate`. */
export function fileName(template: string, timeUs: number): string {
  zone ??= localZone();
  return fileNameAt(template, timeUs, zone.offsetSecondsAt(Math.floor(timeUs / 1e6)));
}

/** The same in a zone that is this far east of UTC, seconds; a %Z needs that to be the local one's at that time. */
export function fileNameAt(template: string, timeUs: number, offsetSeconds: number): string {
  const epochSeconds = Math.floor(timeUs / 1e6);
  return format(template, {
    date: new Date((epochSeconds + offsetSeconds) * 1000),
    epochSeconds,
    offsetSeconds,
  });
}

/** UsageError when the template cannot name a file. */
export function checkTemplate(template: string): void {
  if (template === '') throw new UsageError('-f: the file name is empty');
  if (template.endsWith('/')) throw new UsageError(`-f ${template}: names a directory, add a file name`);
  if (template.includes('\0')) throw new UsageError('-f: the file name holds a NUL character');
  if (statSync(template, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`-f ${template}: is a directory, add a file name`);
  for (const [conversion, letter] of template.matchAll(CONVERSION))
    if (!Object.hasOwn(conversions, letter))
      throw new UsageError(
        `-f ${template}: ${conversion} is no conversion that a file name can have: use one of strftime's, as in %Y-%m-%d_%H%M, and %% for a percent sign`,
      );
}

/**
 * Where files of a template can be: its path components, those with conversions as patterns. The last one also matches a name with
 * `.1`, `.2`, ... and a live file's.
 */
export function templatePatterns(template: string): {
  directories: (string | NamePattern)[];
  file: NamePattern;
} {
  const components = template.replaceAll('%D', '%m/%d/%y').split('/');
  const last = components.pop()!;
  const directories = components.map((component) =>
    /%[^%]/.test(component.replaceAll('%%', '')) ? namePattern(component) : component.replaceAll('%%', '%'),
  );
  return { directories, file: filePattern(last) };
}

/** When the next file is due: the next multiple of the interval since the epoch, in UTC, as the ancestor did. */
export function nextBoundaryUs(timeUs: number, rotateMinutes: number): number {
  if (rotateMinutes === 0) return Number.POSITIVE_INFINITY;
  const intervalUs = rotateMinutes * 60e6;
  return (Math.floor(timeUs / intervalUs) + 1) * intervalUs;
}

function format(template: string, time: LocalTime): string {
  return template.replace(CONVERSION, (_, letter: string) => conversions[letter](time));
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0');
}

/** 0 on 1 January. */
function yearDay(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS);
}

/** ISO 8601: a week belongs to the year that its Thursday is in. */
function isoThursday(date: Date): Date {
  return new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * DAY_MS);
}

function numericOffset(offsetSeconds: number): string {
  const minutes = Math.floor(Math.abs(offsetSeconds) / 60);
  return `${offsetSeconds < 0 ? '-' : '+'}${digits(Math.floor(minutes / 60), 2)}${digits(minutes % 60, 2)}`;
}
