/**
 * The one door to the terminal: no other file writes to standard output or standard error, which .floors.mjs
 * sees to. Names of files, hosts and helpers are other people's, and a terminal obeys the control characters
 * in them; what is printed here steers none.
 */
import { fstatSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { printable, printableLines } from './printable.js';

const STDERR = 2;

/** For the functions below, and for who waits for the stream or hears its errors; never to write to. */
export function stdout(): Writable {
  return process.stdout;
}

/** The same of standard error. */
export function stderr(): Writable {
  return process.stderr;
}

/** A line without its end: a line end inside it is a character like any other that steers. */
export function printLine(stream: Writable, line: string): void {
  stream.write(`${printable(line)}\n`);
}

/** The same for several, in one write. */
export function printLines(stream: Writable, lines: readonly string[]): void {
  stream.write(lines.map((line) => `${printable(line)}\n`).join(''));
}

/** A text of several lines that ends in a line end: for texts in which nobody else can have put one. */
export function printText(stream: Writable, text: string): void {
  stream.write(printableLines(text));
}

/**
 * Bytes as they are: for listings, of which nobody looks at each byte again. The caller vouches that they are
 * whole lines, and that each text in them that came from a file or a user went through `printable` or
 * `printableJson`. `done` is called once they are through, or with why not; until then they must not change.
 */
export function writePrintable(
  stream: Writable,
  bytes: Uint8Array,
  done: (error?: Error | null) => void,
): void {
  stream.write(bytes, done);
}

/**
 * A line of the log, with its end, to standard error before this returns; given up when it cannot be written.
 * The caller vouches for it as for `writePrintable`; the colors of the log are its own.
 */
export function writeLogLine(line: string): void {
  try {
    writeSync(STDERR, line);
  } catch {
    // Nobody reads it any more, or the disk is full.
  }
}

/** Whether a person reads standard error. */
export function stderrIsTerminal(): boolean {
  return isatty(STDERR);
}

/**
 * Whether a background process can go on writing to standard error: only when that is a file, not a terminal
 * or a pipe.
 */
export function stderrIsFile(): boolean {
  try {
    return fstatSync(STDERR).isFile();
  } catch {
    return false;
  }
}

/** Resolves when everything printed so far is through, or nobody reads it any more. */
export async function allPrinted(): Promise<void> {
  await Promise.all([through(process.stdout), through(process.stderr)]);
}

function through(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    else stream.write('', () => resolve());
  });
}
