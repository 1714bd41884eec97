/** Between run.ts and a command: clipanion, loaded with the command and not before. */
import { Cli, type CommandClass } from 'clipanion';
import { UsageError } from '../../base/errors.js';
import { quoted } from '../../base/printable.js';

/** From the arguments behind the mode's word to the exit code. */
export type Run = (args: readonly string[]) => Promise<number>;

export function runnerOf(command: CommandClass): Run {
  return (args) => compile(command, args).validateAndExecute();
}

/** Clipanion's refusals are several lines; by now only what getopt.ts cannot see is left to refuse. */
function compile(command: CommandClass, args: readonly string[]) {
  const [path] = command.paths!;
  try {
    return Cli.from([command], { binaryName: 'ctrecorder' }).process([...path, ...args], {});
  } catch (error) {
    if ((error as { clipanion?: unknown }).clipanion === undefined) throw error;
    throw new UsageError(
      `${quoted(args.join(' '))}: ${(error as Error).message.split('\n', 1)[0]}; see ctrecorder -h`,
    );
  }
}
