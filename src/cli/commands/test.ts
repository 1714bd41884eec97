/** `-T`, `test` */
import { Command, Option } from 'clipanion';
import { ExitCode, report as failureText } from '../failure.js';
import { needFile } from './need-file.js';

export class TestCommand extends Command {
  static override paths = [['test']];

  readonly file = Option.Array('--file', []);
  readonly files = Option.Rest();
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const files = [...this.file, ...this.files];
    needFile('-T', files[0]);
    const { testFiles } = await import('../../query/check.js');
    let sound = true;
    for await (const report of testFiles(files)) {
      sound &&= report.sound;
      if (report.failure === undefined) process.stdout.write(`${report.lines.join('\n')}\n`);
      else process.stderr.write(failureText(report.failure, this.debug));
    }
    return sound ? ExitCode.done : ExitCode.failed;
  }
}
