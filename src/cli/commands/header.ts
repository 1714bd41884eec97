/** `-H`, `header` */
import { Command, Option } from 'clipanion';
import { ExitCode } from '../failure.js';
import { needFile } from './need-file.js';

export class HeaderCommand extends Command {
  static override paths = [['header']];

  readonly file = Option.String('--file');
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const file = needFile('-H', this.file);
    const { openLog } = await import('../../log/open.js');
    const source = await openLog(file, (line) => process.stderr.write(`${line}\n`));
    try {
      process.stdout.write(source.header.lines.map((line) => `${line}\n`).join(''));
    } finally {
      await source.close();
    }
    return ExitCode.done;
  }
}
