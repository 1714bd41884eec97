/**
 * From the arguments to a command: the declarations of all are here, and only the one that is run loads what
 * it needs. Sets the exit code, never throws.
 */

import { ExitCode, exitCodeOf, report } from '../base/failure.js';
import { printLine, printText, stderr, stdout } from '../base/terminal.js';
import { commandName } from './args/declaration.js';
import { type Translated, translate } from './args/getopt.js';
import { commandHelp, fullHelp } from './args/help.js';
import type { Run } from './args/runner.js';
import { commands } from './command-list.js';
import { help as helpCommand } from './commands/help.js';
import { version, versionText } from './commands/version.js';
import { leave, leaveNow } from './leave.js';

/** Set in the environment when this program starts itself again with the same arguments. */
const NOTED_MARK = 'CTRECORDER_NOTED';

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
  // A reader that went away is not an error, neither `| head` nor a closed terminal.
  stdout().on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') fail(error);
  });
  stderr().on('error', () => {});
  let worked = false;
  try {
    const translated = translate(argv, commands);
    worked = !printed(translated);
    const code = worked ? await execute(translated) : ExitCode.done;
    if (!failed) process.exitCode = code;
  } catch (error) {
    fail(error);
  }
  await leave(worked);
}

/** Whether it was a text that was asked for: printed, then. */
function printed({ command, help }: Translated): boolean {
  if (help) printText(stdout(), command === helpCommand ? fullHelp(commands) : commandHelp(command));
  else if (command === version) printText(stdout(), versionText());
  else return false;
  return true;
}

async function execute(translated: Translated): Promise<number> {
  noteIgnored(translated);
  const { command, given } = translated;
  const { run } = (await import(`./commands/${command.word}.js`)) as { run: Run };
  return run(given);
}

/** The ancestor ignored letters of other modes, and so do we, but who expected an effect must learn it. */
function noteIgnored({ command, ignored }: Translated): void {
  if (ignored.length === 0) return;
  const isNoted = process.env[NOTED_MARK] !== undefined;
  process.env[NOTED_MARK] = '1';
  if (isNoted) return;
  const letters = ignored.map((letter) => {
    const owners = commands.filter(({ options }) =>
      Object.values(options).some((option) => option.letter === letter),
    );
    return `-${letter} (${owners.map(commandName).join(', ')})`;
  });
  printLine(
    stderr(),
    `ctrecorder: ${commandName(command)} ignores options of other modes: ${letters.join(', ')}`,
  );
}
