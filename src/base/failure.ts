/**
 * What the user is told when something went wrong: one line, and an exit code. Kinds are compared by name
 * here, not by class: every command is bundled apart from the program that loads it, so its errors are of
 * its own copy of each class.
 */
import { isNodeSystemError, systemErrorText } from './errors.js';
import { printable, printableStack } from './printable.js';

export const ExitCode = { done: 0, failed: 1, usage: 2 } as const;

/** Exit code of an error: 2 for wrong usage, else 1. */
export function exitCodeOf(error: unknown): number {
  return error instanceof Error && error.name === 'UsageError' ? ExitCode.usage : ExitCode.failed;
}

const OURS: ReadonlySet<string> = new Set(['UsageError', 'SystemFailure', 'DamageError', 'StageDeath']);

/**
 * The error in one line. Errors of Node's system calls lead with the path; anything unforeseen says that it
 * is our fault.
 */
export function oneLine(error: unknown): string {
  if (!(error instanceof Error)) return flat(`internal error: ${String(error)}`);
  if (OURS.has(error.name)) return flat(error.message);
  if (isNodeSystemError(error)) {
    const { path, dest, syscall } = error;
    // A write without a path is one to standard output.
    const where = dest ?? path ?? (syscall === 'write' ? 'output' : syscall);
    return flat(`${where}: ${systemErrorText(error)}`);
  }
  return flat(`internal error: ${error.message} (--debug prints where)`);
}

/** The line, and with `debug` the stack below it. */
export function report(error: unknown, debug: boolean): string {
  const stack = debug && error instanceof Error ? [printableStack(error.stack ?? '')] : [];
  return [`ctrecorder: ${oneLine(error)}`, ...stack, ''].join('\n');
}

function flat(text: string): string {
  return printable(text.replace(/\s*[\r\n]+\s*/g, ' ').trim());
}
