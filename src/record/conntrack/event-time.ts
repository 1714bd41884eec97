/**
 * Times that the kernel stamps on events and entries: u64 nanoseconds since the epoch, which become
 * microseconds.
 */

/**
 * Upper half of the first time in nanoseconds that is not believed: 2^52 us, in the year 2112. The log holds
 * times as differences, and their zigzag code, twice as large, must be exact in a double.
 */
export const UNBELIEVED_TIME_HIGH = 1_048_576_000;

/**
 * Elements of the decoder's times: of the event (CTA_TIMESTAMP_EVENT) and of the entry's end; microseconds, 0
 * = none.
 */
export const EVENT_TIME = 0;
export const STOP_TIME = 1;

/**
 * u64 nanoseconds to microseconds, floored; 0 when they are not believed. 2^32 = 4294967 x 1000 + 296, so
 * every step is exact: also the product, since what the double nearest to 0.001 is off makes less of a
 * difference than half a nanosecond.
 */
export function toMicroseconds(high: number, low: number): number {
  return high >= UNBELIEVED_TIME_HIGH ? 0 : high * 4294967 + Math.floor((high * 296 + low + 0.5) * 0.001);
}
