/** How a recorder comes to run: in the background through a launcher, in the foreground, or as the launched child. */
import { exitCodeOf, oneLine } from '../cli/failure.js';
import { resolveIdentity } from './accounts.js';
import { closeInherited, needDescriptor } from './descriptors.js';
import { restartInPlace } from './exec.js';
import { CHILD_PROGRESS_FD, type Launcher, launch, myLauncher } from './launch.js';
import { createLogger, type LogFormat, stderrIsFile } from './log.js';
import { setPriority } from './priority.js';
import { limitRights, rightsAreLimited } from './rights.js';
import { recordSession, type SessionOptions, type StartRecorder } from './session.js';

export interface StartOptions extends SessionOptions {
  readonly foreground: boolean;
  readonly logFormat?: LogFormat;
  readonly debug: boolean;
  /** Where the launcher says that the recorder runs. */
  readonly say: (line: string) => void;
  /** Where it repeats warnings. */
  readonly warn: (line: string) => void;
}

export type LoadRecorder = () => Promise<StartRecorder>;

const loadRecorder: LoadRecorder = async () => (await import('../record/recorder.js')).startRecorder;

/** Answers the exit code. Rejects with UsageError or SystemFailure when the start fails. `load` is for tests. */
export async function start(options: StartOptions, load = loadRecorder): Promise<number> {
  const launcher = myLauncher();
  if (launcher !== undefined) return recordAsChild(options, load, launcher);
  const { recorder, foreground } = options;
  const { progressFd, replayFile } = recorder;
  if (progressFd !== undefined) needDescriptor('--progress-fd', progressFd);
  closeInherited(progressFd);
  if (replayFile !== undefined) return record(options, load);
  prepareRights(options);
  if (foreground) return record(options, load);
  const { pid, info } = await launch({
    ...(progressFd !== undefined && { progressFd }),
    keepStderr: stderrIsFile(),
    say: options.warn,
  });
  options.say(`recording to ${info.file} in the background, process ${pid}`);
  return 0;
}

/**
 * Everything that needs more rights than the recorder will have. Limits are per thread: a child's threads inherit them from this
 * one, but in the foreground Node's own threads exist already, so that the program starts again in its own place.
 */
function prepareRights({ recorder: { nice, user, group, progressFd }, foreground }: StartOptions): void {
  if (nice !== undefined) setPriority(nice);
  if (user === undefined && group === undefined) return;
  resolveIdentity(user, group); // an unknown name is refused here, not in the log of a daemon
  if (foreground && rightsAreLimited()) return;
  limitRights();
  if (foreground) restartInPlace(progressFd);
}

async function record(options: StartOptions, load: LoadRecorder): Promise<number> {
  const { logFormat, debug } = options;
  const log = createLogger({ debug, ...(logFormat !== undefined && { format: logFormat }) });
  return recordSession(options, log, await load(), async () => {});
}

async function recordAsChild(options: StartOptions, load: LoadRecorder, launcher: Launcher): Promise<number> {
  let started = false;
  const { logFormat, debug, recorder } = options;
  const format = stderrIsFile() ? logFormat : 'syslog';
  const log = createLogger({
    debug,
    ...(format !== undefined && { format }),
    alsoTo: (message) => {
      if (!started) launcher.log(message);
    },
  });
  const session = {
    ...options,
    recorder: recorder.progressFd === undefined ? recorder : { ...recorder, progressFd: CHILD_PROGRESS_FD },
  };
  try {
    return await recordSession(session, log, await load(), async (info) => {
      started = true;
      await launcher.ready(info);
    });
  } catch (error) {
    await launcher.failed(oneLine(error), exitCodeOf(error) === 2);
    return exitCodeOf(error);
  }
}
