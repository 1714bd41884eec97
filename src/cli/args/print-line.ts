import type { Writable } from 'node:stream';
import { printable } from '../../base/printable.js';

/** One line for a person: names and damage come from files, and must not steer the terminal. */
export function printLine(stream: Writable, line: string): void {
  stream.write(`${printable(line)}\n`);
}
