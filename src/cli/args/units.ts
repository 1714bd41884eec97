/** Times and sizes: text to number and back. Each refusal is a UsageError of one line. */
import { UsageError } from '../../base/errors.js';
import { quoted } from '../../base/printable.js';
import type { Parser } from './declaration.js';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const TIME_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND_MS,
  sec: SECOND_MS,
  m: MINUTE_MS,
  min: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
};
const KIB = 2 ** 10;
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: KIB,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};
const BARE = /^-?\d{1,15}$/;
/** The longest delay of a timer in Node (2^31 - 1 ms); a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** `200ms`, `1.5s`, `5m`, `1h`, `30d` in milliseconds, NaN when it is not a time. */
function timeMs(text: string): number {
  const [, digits, unit] = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|sec|m|min|h|d|w)$/.exec(text) ?? [];
  return digits === undefined ? Number.NaN : Math.round(Number(digits) * TIME_UNITS_MS[unit]);
}

/** `1000`, `64K`, `64M`, `2G`, `500GB`, `500GiB` (all powers of 1024) in bytes, NaN when it is not a size. */
function sizeBytes(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,15})(?:B|([KMGT])(?:i?B)?)?$/i.exec(text) ?? [];
  return digits === undefined ? Number.NaN : Number(digits) * SIZE_UNITS[unit.toUpperCase()];
}

/** `2s`: a time in milliseconds, at least one and no longer than a timer runs (24 days). */
export function parseDuration(option: string, text: string): number {
  return timerMs(option, text, timeMs(text));
}

/** The same, where a bare number is one of seconds. */
export function parseSeconds(option: string, text: string): number {
  return timerMs(option, text, BARE.test(text) ? Number(text) * SECOND_MS : timeMs(text));
}

function timerMs(option: string, text: string, durationMs: number): number {
  if (durationMs >= 1 && durationMs <= MAX_TIMER_MS) return durationMs;
  throw new UsageError(`${option} ${quoted(text)}: give a time from 1ms to 24 days, like 200ms, 2s or 5m`);
}

/** `64M`: a size in bytes, at least one. */
export function parseSize(option: string, text: string): number {
  const bytes = sizeBytes(text);
  if (bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw new UsageError(`${option} ${quoted(text)}: give a size of at least one byte, like 500K, 64M or 2G`);
}

interface Whole {
  /** Its unit in the plural, as in "minutes". */
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  /** As in "60, 5m or 1h". */
  readonly examples: string;
}

/** A bare number counts `unitMs`; a time (`5m`) must be a whole number of them. */
function wholeTimes(unitMs: number, limits: Whole): Parser<number> {
  return (option, text) => whole(option, text, timeMs(text) / unitMs, limits);
}

/** A number of minutes: `60`, `5m`, `1h`, `1d`. */
export function minutes(limits: Omit<Whole, 'unit'>): Parser<number> {
  return wholeTimes(MINUTE_MS, { unit: 'minutes', ...limits });
}

/** A number of days: `30`, `30d`, `4w`. */
export function days(limits: Omit<Whole, 'unit'>): Parser<number> {
  return wholeTimes(DAY_MS, { unit: 'days', ...limits });
}

/** A number of KiB: `8192`, `8M`. */
export function kibibytes(limits: Omit<Whole, 'unit'>): Parser<number> {
  return (option, text) => whole(option, text, sizeBytes(text) / KIB, { unit: 'KiB', ...limits });
}

/** `inUnits`: what the text with a unit of its own comes to; a bare number is taken as it is. */
function whole(option: string, text: string, inUnits: number, { unit, min, max, examples }: Whole): number {
  const value = BARE.test(text) ? Number(text) : inUnits;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const why = Number.isFinite(value) && !Number.isInteger(value) ? `not a whole number of ${unit}; ` : '';
  throw new UsageError(
    `${option} ${quoted(text)}: ${why}give ${unit} from ${min} to ${max}, like ${examples}`,
  );
}

/** A time as an option takes it, in the largest unit that it is a whole number of, up to seconds. */
export function timeText(durationMs: number): string {
  return durationMs % SECOND_MS === 0 ? `${durationMs / SECOND_MS}s` : `${durationMs}ms`;
}

/** A size as an option takes it, in the largest unit that it is a whole number of. */
export function sizeText(bytes: number): string {
  const [unit, unitBytes] = Object.entries(SIZE_UNITS).findLast(([, size]) => bytes % size === 0)!;
  return bytes === 0 ? '0' : `${bytes / unitBytes}${unit}`;
}
