/** `-T`, `test` */
import { ExitCode, report as failureText } from '../../base/failure.js';
import { debug, logFiles } from '../args/common-options.js';
import { command } from '../args/declaration.js';
import { printLine } from '../args/print-line.js';
import { runner } from '../args/runner.js';

export const test = command({
  letter: 'T',
  word: 'test',
  summary: 'check log files and, if there are several, the chain between them',
  options: { files: logFiles, debug },
  examples: ['ctrecorder -Tf nat.ct', 'ctrecorder test 2026-*.ct'],
});

export const run = runner(test, async ({ files, debug }) => {
  const { testFiles } = await import('../../find/upkeep/check.js');
  let sound = true;
  for await (const report of testFiles(files, (line) => printLine(process.stderr, line))) {
    sound &&= report.sound;
    for (const line of report.lines) printLine(process.stdout, line);
    if (report.failure !== undefined) process.stderr.write(failureText(report.failure, debug));
  }
  return sound ? ExitCode.done : ExitCode.failed;
});
