/**
 * A program that starts as `ctrecorder -C` does, with a recorder that only does what matters for rights,
 * threads and signals: two worker threads and libuv's pool before the switch of the user, one thread after
 * it, the first file last. Arguments: JSON of StubSettings.
 */
import { writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { exitCodeOf, report } from '../../../src/base/failure.js';
import { setPriority } from '../../../src/base/process/priority.js';
import { reduceRights } from '../../../src/base/process/rights.js';
import { type StartOptions, start } from '../../../src/operate/daemon/start.js';
import { defaultRecorderOptions, type RecorderOptions } from '../../../src/record/main/options.js';
import type { Recorder, RecordSummary } from '../../../src/record/main/recording.js';

export interface StubSettings {
  readonly recorder: Partial<RecorderOptions> & { readonly fileTemplate: string };
  readonly foreground: boolean;
  readonly pidFile?: string;
  readonly debug?: boolean;
  /** Do not end when asked to stop. */
  readonly stuck?: boolean;
  /** Die at the start without a word. */
  readonly crash?: boolean;
  /** What the summary says was not saved. */
  readonly unsaved?: string;
}

const settings = JSON.parse(process.argv[2]) as StubSettings;

function startStub(options: RecorderOptions): Recorder {
  if (settings.crash === true) process.kill(process.pid, 'SIGKILL');
  let finish!: (summary: RecordSummary) => void;
  const done = new Promise<RecordSummary>((resolve) => {
    finish = resolve;
  });
  const note = (what: string) => writeFileSync(options.fileTemplate, `${what}\n`, { flag: 'a' });
  return {
    ready: open(options, note),
    done,
    rotate: () => note('rotate'),
    flush: () => note('flush'),
    stop: () => {
      note('stop');
      if (settings.stuck === true) return;
      const unsaved = settings.unsaved ?? '';
      finish({
        received: 3,
        recorded: 3,
        lost: 0,
        deliveryFailures: 0,
        repeats: 0,
        partial: 0,
        bytesWritten: 100,
        files: 1,
        unsaved,
      });
    },
  };
}

async function open(options: RecorderOptions, note: (what: string) => void) {
  await startThread();
  await startThread();
  await stat('/'); // not ".": root without CAP_DAC_OVERRIDE may not enter the user's directory
  if (options.nice !== undefined) setPriority(options.nice);
  if (options.user !== undefined || options.group !== undefined) reduceRights(options.user, options.group);
  await startThread();
  note('open');
  if (options.progressFd !== undefined) writeFileSync(options.progressFd, '{"events":0}\n');
  return { file: options.fileTemplate, rcvbufBytes: 0, ringSlots: options.ringSlots };
}

async function startThread(): Promise<void> {
  const code = 'require("node:worker_threads").parentPort.on("message", () => {}).postMessage(0)';
  const worker = new Worker(code, { eval: true });
  await new Promise((resolve) => worker.once('message', resolve));
}

process.on('SIGUSR1', () => {});
const options: StartOptions = {
  debug: false,
  ...settings,
  recorder: { ...defaultRecorderOptions, ...settings.recorder },
  logFormat: 'json',
  say: (line) => void process.stdout.write(`${line}\n`),
  warn: (line) => void process.stderr.write(`${line}\n`),
};
try {
  process.exit(await start(options, async () => startStub));
} catch (error) {
  process.stderr.write(report(error, false));
  process.exit(exitCodeOf(error));
}
