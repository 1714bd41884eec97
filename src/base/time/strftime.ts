import { zoneAbbreviation } from './zone-abbreviation.js';

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

/**
 * POSIX.1-2017, strftime(), without what has no place in a name (%n, %t) or depends on a locale (%c, %x, %X).
 */
export const conversions: Readonly<Record<string, (time: LocalTime) => string>> = {
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

export const CONVERSION = /%(.?)/gsu;

export function format(template: string, time: LocalTime): string {
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
