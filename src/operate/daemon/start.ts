/**
 * How a recorder comes to run: in the background through a launcher, in the foreground, or as the launched
 * child.
 */
import { ExitCode, exitCodeOf, oneLine } from '../../base/failure.js';
import { resolveIdentity } from '../../base/process/accounts.js';
import { closeInherited, needDescriptor } from '../../base/process/descriptors.js';
import { restartInPlace } from '../../base/process/exec.js';
import { setPriority } from '../../base/process/priority.js';
import { limitRights, rightsAreLimited } from '../../base/process/rights.js';
import { stderrIsFile } from '../../base/terminal.js';
import type { RecorderOptions } from '../../record/main/options.js';
import { CHILD_PIDFILE_FD, CHILD_PROGRESS_FD, type Launcher, launch, myLauncher } from './launch.js';
import { createLogger, type LogFormat } from './logger.js';
import { PidFile } from './pidfile.js';
import { recordSession, type StartRecorder } from './session.js';

export interface StartOptions {
  readonly recorder: RecorderOptions;
  /** `-P` */
  readonly pidFile?: string;
  readonly foreground: boolean;
  readonly logFormat?: LogFormat;
  readonly debug: boolean;
  /** Where the launcher says that the recorder runs. */
  readonly say: (line: string) => void;
  /** Where it repeats warnings. */
  readonly warn: (line: string) => void;
}

export type LoadRecorder = () => Promise<StartRecorder>;

const loadRecorder: LoadRecorder = async () => (await import('../../record/main/recorder.js')).startRecorder;

/** Descriptor of the pid file after a restart in place. */
const PIDFILE_MARK = 'CTRECORDER_PIDFILE_FD';

/**
 * Answers the exit code. Rejects with UsageError or SystemFailure when the start fails. `load` is for tests.
 */
export async function start(options: StartOptions, load = loadRecorder): Promise<number> {
  const launcher = myLauncher();
  if (launcher !== undefined) return recordAsChild(options, load, launcher);
  const { recorder, foreground } = options;
  const { progressFd, replayFile, user, group } = recorder;
  if (progressFd !== undefined) needDescriptor('--progress-fd', progressFd);
  const adopted = adoptedPidFile();
  // A replay is not a daemon, and its file may be such a descriptor: --replay <(zcat x.pcap.gz)
  if (replayFile === undefined) closeInherited([progressFd, adopted]);
  const reducing = replayFile === undefined && (user !== undefined || group !== undefined);
  if (reducing) resolveIdentity(user, group); // an unknown name is refused here, not in the log of a daemon
  const pidFile = pidFileOf(options, adopted);
  try {
    if (recorder.nice !== undefined) setPriority(recorder.nice);
    if (reducing && !(foreground && rightsAreLimited())) {
      // Per thread: a child's threads inherit it from this one. In the foreground Node's own threads exist
      // already, so that the program has to start again in its own place.
      limitRights();
      if (foreground) restart(progressFd, pidFile);
    }
    if (foreground || replayFile !== undefined) return await record(options, load, pidFile);
    return await launchRecorder(options, pidFile);
  } catch (error) {
    pidFile?.remove();
    throw error;
  }
}

function adoptedPidFile(): number | undefined {
  const mark = process.env[PIDFILE_MARK];
  delete process.env[PIDFILE_MARK];
  return mark === undefined ? undefined : Number(mark);
}

/** Opened with all rights, before they are limited: its directory need not belong to root. */
function pidFileOf({ pidFile: path }: StartOptions, adopted: number | undefined): PidFile | undefined {
  if (path === undefined) return undefined;
  return adopted === undefined ? PidFile.open(path) : PidFile.adopt(path, adopted);
}

function restart(progressFd: number | undefined, pidFile: PidFile | undefined): never {
  if (pidFile !== undefined) process.env[PIDFILE_MARK] = String(pidFile.fd);
  restartInPlace([progressFd, pidFile?.fd].filter((fd) => fd !== undefined));
}

async function launchRecorder(
  { recorder, say, warn }: StartOptions,
  pidFile: PidFile | undefined,
): Promise<number> {
  const { progressFd } = recorder;
  const { pid, info } = await launch({
    ...(progressFd !== undefined && { progressFd }),
    ...(pidFile !== undefined && { pidFileFd: pidFile.fd }),
    keepStderr: stderrIsFile(),
    say: warn,
  });
  say(`recording to ${info.file} in the background, process ${pid}`);
  return ExitCode.done;
}

async function record(
  options: StartOptions,
  load: LoadRecorder,
  pidFile: PidFile | undefined,
): Promise<number> {
  const { logFormat, debug, recorder } = options;
  const log = createLogger({ debug, ...(logFormat !== undefined && { format: logFormat }) });
  return recordSession(recorder, pidFile, log, await load(), async () => {});
}

async function recordAsChild(options: StartOptions, load: LoadRecorder, launcher: Launcher): Promise<number> {
  let waiting = true;
  const { logFormat, debug, recorder } = options;
  const log = stderrIsFile()
    ? createLogger({ debug, ...(logFormat !== undefined && { format: logFormat }) })
    : createLogger({ debug, format: 'syslog', alsoTo: (message) => waiting && launcher.log(message) });
  const moved = recorder.progressFd === undefined ? recorder : { ...recorder, progressFd: CHILD_PROGRESS_FD };
  try {
    return await recordSession(
      moved,
      pidFileOf(options, CHILD_PIDFILE_FD),
      log,
      await load(),
      async (info) => {
        waiting = false;
        await launcher.ready(info);
      },
    );
  } catch (error) {
    await launcher.failed(oneLine(error), exitCodeOf(error) === ExitCode.usage);
    return exitCodeOf(error);
  }
}
