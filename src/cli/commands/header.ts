/** `-H`, `header` */
import { Command, Option } from 'clipanion';
import { ExitCode } from '../../base/failure.js';
import { openLog } from '../../log/read/open.js';
import { printLine } from '../args/print-line.js';
import { runnerOf } from '../args/runner.js';
import { needFile } from '../args/values.js';

export class HeaderCommand extends Command {
  static override paths = [['header']];

  readonly file = Option.String('--file');
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const file = needFile('-H', this.file);
    const source = await openLog(file, (line) => printLine(process.stderr, line));
    try {
      for (const line of source.header.lines) printLine(process.stdout, line);
    } finally {
      await source.close();
    }
    return ExitCode.done;
  }
}

export const run = runnerOf(HeaderCommand);
