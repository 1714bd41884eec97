/** `-H`, `header` */
import { Command, Option } from 'clipanion';
import { ExitCode } from '../../base/failure.js';
import { printLine, printLines, stderr, stdout } from '../../base/terminal.js';
import { openLog } from '../../log/read/open.js';
import { runnerOf } from '../args/runner.js';
import { needFile } from '../args/values.js';

export class HeaderCommand extends Command {
  static override paths = [['header']];

  readonly file = Option.String('--file');
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const file = needFile('-H', this.file);
    const source = await openLog(file, (line) => printLine(stderr(), line));
    try {
      printLines(stdout(), source.header.lines);
    } finally {
      await source.close();
    }
    return ExitCode.done;
  }
}

export const run = runnerOf(HeaderCommand);
