/** What listings say, against what really happened. */
import { execFileSync } from 'node:child_process';
import { type Connection, connectionText } from './connection.js';
import { recorderEntry } from './process.js';

export interface ListedEvent {
  /** S start, U update, E end, O was open already, R reset. */
  readonly letter: string;
  readonly replied: boolean;
  /** Both tuples, as `connectionText` has them. */
  readonly text: string;
}

/** Standard output of `ctrecorder ARGS`. @throws Error with its standard error when it fails. */
export function ctrecorder(args: readonly string[], cwd?: string): string {
  return execFileSync(process.execPath, [recorderEntry, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 29,
  });
}

/** The events of a `-L` listing, in its order. @throws Error for a line that is none. */
export function* listedEvents(listing: string): Generator<ListedEvent> {
  for (let from = 0; from < listing.length; ) {
    const to = listing.indexOf('\n', from);
    const line = listing.slice(from, to);
    from = to + 1;
    const event = /^[\d.]{10} [\d:]{8}\.\d{6} ([RSUEO])([+ ]) (src=.*?)(?: proto=\S+)?$/.exec(line);
    if (event === null) throw new Error(`not a line of a listing: ${line}`);
    yield { letter: event[1], replied: event[2] === '+', text: event[3] };
  }
}

/** How often each start and each end is listed. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(listing: string): void {
    for (const { letter, text } of listedEvents(listing)) {
      const key = letter + text;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
  }

  /**
   * What differs from "each of these connections has one start and one end, and there is nothing else", at
   * most ten findings; empty when all is well.
   */
  differences(connections: readonly Connection[]): string[] {
    const findings: string[] = [];
    const expected = new Set<string>();
    for (const connection of connections) {
      for (const letter of 'SE') {
        const key = letter + connectionText(connection);
        expected.add(key);
        const count = this.#counts.get(key) ?? 0;
        if (count !== 1) findings.push(`${count} times instead of once: ${key}`);
      }
    }
    for (const [key, count] of this.#counts)
      if (!expected.has(key)) findings.push(`${count} times, and never happened: ${key}`);
    return findings.slice(0, 10);
  }
}
