/** Values of options: text to number, each refusal a UsageError of one line (what, where, what to do). */

import { UsageError } from '../../base/errors.js';
import { quoted } from '../../base/printable.js';
import { protocolNumber } from '../../event/protocols.js';

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};
/** The longest delay of a timer in Node (2^31 - 1 ms); a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** SO_RCVBUF is an int in bytes, half of which the kernel gives away by doubling. */
export const MAX_RCVBUF_KIB = 2 ** 20 - 1;
const MAX_PORT = 65535;

/** A whole number from `min` to `max`. `option` is how the user named it, as in "-b". */
export function parseInteger(option: string, text: string, min: number, max: number): number {
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${option} ${quoted(text)}: give a whole number from ${min} to ${max}`);
}

/** `80%` or `80`: a whole number from 1 to 100. */
export function parsePercent(option: string, text: string): number {
  const percent = /^\d{1,3}%?$/.test(text) ? Number.parseInt(text, 10) : Number.NaN;
  if (percent >= 1 && percent <= 100) return percent;
  throw new UsageError(`${option} ${quoted(text)}: give a part of the table from 1% to 100%`);
}

/** `200ms`, `2s`, `5m`, `1h` in milliseconds, at least one and at the most what a timer takes (24 days). */
export function parseDuration(option: string, text: string): number {
  const [, digits, unit] = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text) ?? [];
  const durationMs = digits === undefined ? Number.NaN : Math.round(Number(digits) * DURATION_UNITS_MS[unit]);
  if (durationMs >= 1 && durationMs <= MAX_TIMER_MS) return durationMs;
  throw new UsageError(`${option} ${quoted(text)}: give a time from 1ms to 24 days, like 200ms, 2s or 5m`);
}

/** `1000`, `64K`, `64M`, `2G` (powers of 1024) in bytes, at least one. */
export function parseSize(option: string, text: string): number {
  const [, digits, unit] = /^(\d{1,15})([KMGT]?)$/i.exec(text) ?? [];
  const sizeBytes = digits === undefined ? Number.NaN : Number(digits) * SIZE_UNITS[unit.toUpperCase()];
  if (sizeBytes >= 1 && sizeBytes <= Number.MAX_SAFE_INTEGER) return sizeBytes;
  throw new UsageError(`${option} ${quoted(text)}: give a size of at least one byte, like 500K, 64M or 2G`);
}

/**
 * Octal mode of a file, as in `0640`: the owner must read and write, others must not write, nobody executes.
 */
export function parseFileMode(option: string, text: string): number {
  const mode = /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  if ((mode & 0o600) === 0o600 && (mode & 0o113) === 0) return mode;
  throw new UsageError(
    `${option} ${quoted(text)}: give an octal mode for files, like 0640: the owner reads and writes, others do not write, no x`,
  );
}

/**
 * Comma list of layer-4 protocols by name or number, or `all`. Answers their numbers, ascending, each once.
 */
export function parseProtocols(option: string, text: string): readonly number[] | 'all' {
  if (text.toLowerCase() === 'all') return 'all';
  const numbers = text.split(',').map((word) => {
    const number = protocolNumber(word);
    if (number !== undefined) return number;
    throw new UsageError(
      `${option} ${quoted(text)}: ${quoted(word)} is no protocol; give names or numbers like tcp,udp,47, or all`,
    );
  });
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** Comma list of ports. */
export function parsePorts(option: string, text: string): number[] {
  return text.split(',').map((word) => parseInteger(option, word, 0, MAX_PORT));
}

/** One of `choices`. */
export function parseChoice<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new UsageError(`${option} ${quoted(text)}: give one of ${choices.join(', ')}`);
}

/** The value of `-f`, which must be there. `mode` is how the mode is called, as in "-L" or "stats". */
export function needFile(mode: string, file: string | undefined): string {
  if (file !== undefined && file !== '') return file;
  throw new UsageError(`${mode} needs a file: add -f ${mode === '-C' ? 'TEMPLATE' : 'FILE'}`);
}
