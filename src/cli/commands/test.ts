/** `-T`, `test` */
import { Command, Option } from 'clipanion';
import { ExitCode, report as failureText } from '../../base/failure.js';
import { printLine, printLines, printText, stderr, stdout } from '../../base/terminal.js';
import { testFiles } from '../../find/upkeep/check.js';
import { runnerOf } from '../args/runner.js';
import { needFile } from '../args/values.js';

export class TestCommand extends Command {
  static override paths = [['test']];

  readonly file = Option.Array('--file', []);
  readonly files = Option.Rest();
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const files = [...this.file, ...this.files];
    needFile('-T', files[0]);
    let sound = true;
    for await (const report of testFiles(files, (line) => printLine(stderr(), line))) {
      sound &&= report.sound;
      printLines(stdout(), report.lines);
      if (report.failure !== undefined) printText(stderr(), failureText(report.failure, this.debug));
    }
    return sound ? ExitCode.done : ExitCode.failed;
  }
}

export const run = runnerOf(TestCommand);
