/** One recording in this process: pid file, signals, summary, exit code. */
import type { Logger } from 'pino';
import { oneLine } from '../../base/failure.js';
import { lossText, partialText } from '../../record/main/loss-log.js';
import type { RecorderOptions } from '../../record/main/options.js';
import type { ReadyInfo, Recorder, RecordSummary } from '../../record/main/recording.js';
import type { PidFile } from './pidfile.js';

export type StartRecorder = (options: RecorderOptions, log: Logger) => Recorder;

/**
 * Record until stopped by a signal, the end of a replay or a failure; answers the exit code. Rejects when the
 * start fails; after `onReady` every failure goes to the log.
 */
export async function recordSession(
  options: RecorderOptions,
  pidFile: PidFile | undefined,
  log: Logger,
  start: StartRecorder,
  onReady: (info: ReadyInfo) => Promise<void>,
): Promise<number> {
  pidFile?.write();
  process.once('exit', () => {
    if (pidFile?.remove() === false)
      log.debug(`${pidFile.path}: left alone, it is not the file that this recorder made`);
  });
  const fatal = (error: unknown) =>
    log.fatal(log.isLevelEnabled('debug') ? { err: error } : {}, oneLine(error));
  // Before the command line's own handler, whose line nobody would read in the background.
  process.prependListener('uncaughtException', (error) => {
    fatal(error);
    process.exit(1);
  });
  const recorder = start(options, log);
  wireSignals(recorder, log);
  await onReady(await recorder.ready);
  try {
    return report(await recorder.done, log);
  } catch (error) {
    fatal(error);
    return 1;
  }
}

function wireSignals(recorder: Recorder, log: Logger): void {
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)
    process.on(signal, () => {
      if (stopping) {
        log.error(`second ${signal}: ended at once; what was not acknowledged is lost`);
        process.exit(1);
      }
      stopping = true;
      log.info(`${signal}: stopping`);
      recorder.stop();
    });
  process.on('SIGHUP', () => recorder.rotate());
  process.on('SIGUSR1', () => recorder.flush());
  process.on('SIGUSR2', () => {}); // as the ancestor: ignored
}

function report(summary: RecordSummary, log: Logger): number {
  const { received, recorded, bytesWritten, files, unsaved } = summary;
  const counts =
    `${received} messages received, ${recorded} events recorded, ${lossText(summary)}${partialText(summary.partial)}, ` +
    `${bytesWritten} bytes in ${files} ${files === 1 ? 'file' : 'files'}`;
  if (unsaved === '') {
    log.info(summary, `done: ${counts}`);
    return 0;
  }
  log.error(summary, `stopped without saving everything: ${unsaved}; ${counts}`);
  return 1;
}
