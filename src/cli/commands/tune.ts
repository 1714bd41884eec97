/** `tune` */
import { Command, Option } from 'clipanion';
import { ExitCode } from '../../base/failure.js';
import { printText, stdout } from '../../base/terminal.js';
import { adviseOn } from '../../operate/doctor/advice.js';
import { sampleEvents } from '../../operate/doctor/sample.js';
import { tuneJson, tuneText } from '../../operate/doctor/tune-text.js';
import { defaultRecorderOptions as defaults } from '../../record/main/options.js';
import { runnerOf } from '../args/runner.js';
import { MAX_RCVBUF_KIB, parseDuration, parseInteger, parseProtocols } from '../args/values.js';

const DEFAULT_FOR_MS = 60_000;
/** Larger than a recorder's: what is to be measured must not be lost. */
const DEFAULT_RCVBUF_KIB = 65_536;

export class TuneCommand extends Command {
  static override paths = [['tune']];

  readonly for = Option.String('--for');
  readonly protocols = Option.String('--protocols');
  readonly rcvbuf = Option.String('--rcvbuf');
  readonly json = Option.Boolean('--json', false);
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const forMs = this.for === undefined ? DEFAULT_FOR_MS : parseDuration('--for', this.for);
    const protocols =
      this.protocols === undefined ? defaults.protocols : parseProtocols('-p', this.protocols);
    const rcvbufKiB =
      this.rcvbuf === undefined ? DEFAULT_RCVBUF_KIB : parseInteger('-b', this.rcvbuf, 1, MAX_RCVBUF_KIB);
    const ended = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
    const sample = await sampleEvents({
      forMs,
      rcvbufBytes: rcvbufKiB * 1024,
      protocols,
      signal: ended.signal,
    });
    const advice = adviseOn(sample);
    printText(stdout(), this.json ? tuneJson(sample, advice) : tuneText(sample, advice));
    return ExitCode.done;
  }
}

export const run = runnerOf(TuneCommand);
