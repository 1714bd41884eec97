/** What every benchmark program does at its start. */
import { labObstacle } from '../test/lab/namespace.js';

/**
 * End the process with one line when there can be no namespaces, and turn later errors into one line, too.
 */
export function needLab(program: string): void {
  process.on('uncaughtException', (error) => fail(program, error.message.trimEnd()));
  const obstacle = labObstacle();
  if (obstacle !== undefined) fail(program, obstacle);
}

function fail(program: string, message: string): never {
  console.error(`${program}: ${message}`);
  process.exit(1);
}

/** A whole number from 1 on, as an option has it; ends the process with one line when it is none. */
export function countOption(option: string, text: string, max = 100_000_000): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= max) return count;
  console.error(`--${option} ${text}: give a whole number from 1 to ${max}`);
  process.exit(2);
}

/** `a,b` as words; none for an empty text. */
export function listOption(text: string): string[] {
  return text.split(',').filter((word) => word !== '');
}
