/** From the arguments to a command: each mode loads what it needs and nothing else. Sets the exit code, never throws. */
import type { CommandClass } from 'clipanion';
import { UsageError } from '../errors.js';
import { quoted } from '../printable.js';
import { ExitCode, exitCodeOf, report } from './failure.js';
import { type Translated, translate } from './getopt.js';
import { leave, leaveNow } from './leave.js';

const commands: Readonly<Record<string, () => Promise<CommandClass>>> = {
  capture: async () => (await import('./commands/capture.js')).CaptureCommand,
  list: async () => (await import('./commands/list.js')).ListCommand,
  test: async () => (await import('./commands/test.js')).TestCommand,
  squeeze: async () => (await import('./commands/squeeze.js')).SqueezeCommand,
  header: async () => (await import('./commands/header.js')).HeaderCommand,
  stats: async () => (await import('./commands/stats.js')).StatsCommand,
  tune: async () => (await import('./commands/tune.js')).TuneCommand,
  repair: async () => (await import('./commands/repair.js')).RepairCommand,
};

export async function run(argv: readonly string[]): Promise<void> {
  const debug = argv.includes('--debug');
  let failed = false;
  const fail = (error: unknown): void => {
    // A write that fails is told twice: by the stream, and to who waits for it.
    if (failed) return;
    failed = true;
    process.exitCode = exitCodeOf(error);
    process.stderr.write(report(error, debug));
  };
  process.on('uncaughtException', (error) => {
    fail(error);
    leaveNow(true);
  });
  // A reader that went away is no error, neither `| head` nor a closed terminal.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') fail(error);
  });
  process.stderr.on('error', () => {});
  let worked = false;
  try {
    const translated = translate(argv);
    worked = !(await printed(translated));
    const code = worked ? await execute(translated) : ExitCode.done;
    if (!failed) process.exitCode = code;
  } catch (error) {
    fail(error);
  }
  await leave(worked);
}

/** Whether it was a text that was asked for: printed, then. */
async function printed({ mode, help }: Translated): Promise<boolean> {
  if (mode.word === 'version') {
    const { versionText } = await import('./commands/version.js');
    process.stdout.write(versionText());
  } else if (mode.word === 'help' || help) {
    const { fullHelp, modeHelp } = await import('./help.js');
    process.stdout.write(mode.word === 'help' ? fullHelp() : modeHelp(mode));
  } else return false;
  return true;
}

async function execute({ mode, args }: Translated): Promise<number> {
  const [{ Cli }, command] = await Promise.all([import('./clipanion.js'), commands[mode.word]()]);
  return compile(Cli.from([command], { binaryName: 'ctrecorder' }), mode.word, args).validateAndExecute();
}

/** Clipanion's refusals are several lines; by now only what getopt.ts cannot see is left to refuse. */
function compile(
  cli: InstanceType<typeof import('./clipanion.js').Cli>,
  word: string,
  args: readonly string[],
) {
  try {
    return cli.process([word, ...args], {});
  } catch (error) {
    if ((error as { clipanion?: unknown }).clipanion === undefined) throw error;
    throw new UsageError(
      `${quoted(args.join(' '))}: ${(error as Error).message.split('\n', 1)[0]}; see ctrecorder -h`,
    );
  }
}
