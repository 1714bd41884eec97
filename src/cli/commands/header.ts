/** `-H`, `header` */
import { openLog } from '../../log/open.js';
import { Command, Option } from '../clipanion.js';
import { ExitCode } from '../failure.js';
import { needFile } from '../parse.js';
import { printLine } from '../print-line.js';

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
