import { fourDigits } from '../digits.js';
import type { Zone } from './zone.js';

/** Bytes of a printed time. */
export const TIME_BYTES = 26;
/** Bytes up to and including the point before the microseconds. */
const PREFIX_BYTES = 20;
/** Offsets change at multiples of a quarter of an hour (UTC) in every zone since 1972. */
const PERIOD_SECONDS = 900;

/** A second since the epoch as RFC 3339 has it, in UTC, without its end: `2026-11-23T04:50:43`. */
export function utcSecond(epochSeconds: number): string {
  return new Date(epochSeconds * 1000).toISOString().slice(0, 19);
}

/** `2026-11-23T04:50:43.727654Z` */
export function rfc3339(timeUs: number): string {
  const second = Math.floor(timeUs / 1e6);
  return `${utcSecond(second)}.${String(timeUs - second * 1e6).padStart(6, '0')}Z`;
}

/** Writes times; remembers the second it wrote last and the offset of the period it lies in. */
export class TimeWriter {
  readonly #zone: Zone;
  /** `YYYY.MM.DD HH:MM:SS.` */
  readonly #prefix = new DataView(new ArrayBuffer(PREFIX_BYTES));
  #second = Number.NaN;
  #period = Number.NaN;
  #offsetSeconds = 0;

  constructor(zone: Zone) {
    this.#zone = zone;
    for (const [at, character] of [...'    .  .     :  :  .'].entries())
      this.#prefix.setUint8(at, character.charCodeAt(0));
  }

  /** Write TIME_BYTES bytes at `at`; answers the offset behind them. Years 0 to 9999. */
  write(view: DataView, at: number, timeUs: number): number {
    const second = Math.floor(timeUs / 1e6);
    if (second !== this.#second) this.#startSecond(second);
    const prefix = this.#prefix;
    for (let i = 0; i < PREFIX_BYTES; i += 4) view.setUint32(at + i, prefix.getUint32(i, true), true);
    const microseconds = timeUs - second * 1e6;
    const hundredths = (microseconds / 10_000) | 0;
    const tens = (hundredths / 10) | 0;
    view.setUint8(at + PREFIX_BYTES, 48 + tens);
    view.setUint8(at + PREFIX_BYTES + 1, 48 + hundredths - tens * 10);
    view.setUint32(at + PREFIX_BYTES + 2, fourDigits[microseconds - hundredths * 10_000], true);
    return at + TIME_BYTES;
  }

  text(timeUs: number): string {
    const bytes = new Uint8Array(TIME_BYTES);
    this.write(new DataView(bytes.buffer), 0, timeUs);
    return String.fromCharCode(...bytes);
  }

  #startSecond(second: number): void {
    const period = Math.floor(second / PERIOD_SECONDS);
    if (period !== this.#period) {
      this.#period = period;
      this.#offsetSeconds = this.#zone.offsetSecondsAt(second);
    }
    const local = new Date((second + this.#offsetSeconds) * 1000);
    this.#digits(0, 4, local.getUTCFullYear());
    this.#digits(5, 2, local.getUTCMonth() + 1);
    this.#digits(8, 2, local.getUTCDate());
    this.#digits(11, 2, local.getUTCHours());
    this.#digits(14, 2, local.getUTCMinutes());
    this.#digits(17, 2, local.getUTCSeconds());
    this.#second = second;
  }

  #digits(at: number, count: number, value: number): void {
    for (let i = at + count - 1; i >= at; i--) {
      this.#prefix.setUint8(i, 48 + (value % 10));
      value = Math.floor(value / 10);
    }
  }
}
