/**
 * From the arguments to a command: each mode loads what it needs and nothing else. Sets the exit code, never
 * throws.
 */

import { ExitCode, exitCodeOf, report } from '../base/failure.js';
import { printText, stderr, stdout } from '../base/terminal.js';
import { type Translated, translate } from './args/getopt.js';
import { fullHelp, modeHelp } from './args/help.js';
import type { Run } from './args/runner.js';
import { leave, leaveNow } from './leave.js';
import { versionText } from './version.js';

const commands: Readonly<Record<string, () => Promise<{ run: Run }>>> = {
  capture: () => import('./commands/capture.js'),
  list: () => import('./commands/list.js'),
  test: () => import('./commands/test.js'),
  squeeze: () => import('./commands/squeeze.js'),
  header: () => import('./commands/header.js'),
  stats: () => import('./commands/stats.js'),
  tune: () => import('./commands/tune.js'),
  repair: () => import('./commands/repair.js'),
};

export async function run(argv: readonly string[]): Promise<void> {
  const debug = argv.includes('--debug');
  let failed = false;
  const fail = (error: unknown): void => {
    // A write that fails is told twice: by the stream, and to who waits for it.
    if (failed) return;
    failed = true;
    process.exitCode = exitCodeOf(error);
    printText(stderr(), report(error, debug));
  };
  process.on('uncaughtException', (error) => {
    fail(error);
    leaveNow(true);
  });
  // A reader that went away is no error, neither `| head` nor a closed terminal.
  stdout().on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') fail(error);
  });
  stderr().on('error', () => {});
  let worked = false;
  try {
    const translated = translate(argv);
    worked = !printed(translated);
    const code = worked ? await execute(translated) : ExitCode.done;
    if (!failed) process.exitCode = code;
  } catch (error) {
    fail(error);
  }
  await leave(worked);
}

/** Whether it was a text that was asked for: printed, then. */
function printed({ mode, help }: Translated): boolean {
  if (mode.word === 'version') printText(stdout(), versionText());
  else if (mode.word === 'help' || help)
    printText(stdout(), mode.word === 'help' ? fullHelp() : modeHelp(mode));
  else return false;
  return true;
}

async function execute({ mode, args }: Translated): Promise<number> {
  const command = await commands[mode.word]();
  return command.run(args);
}
