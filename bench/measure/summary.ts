/** What a recorder said of itself at its end. */

/** The last value of a key in the recorder's JSON log: its summary. */
export function lastNumber(log: string, key: string): number {
  return Number([...log.matchAll(new RegExp(`"${key}":(\\d+)`, 'g'))].at(-1)?.[1]);
}
