/** `-T`, `test` */

import { ExitCode, report as failureText } from '../../base/failure.js';
import { printLine, printLines, printText, stderr, stdout } from '../../base/terminal.js';
import { debug, logFiles } from '../args/common-options.js';
import { command } from '../args/declaration.js';
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
  for await (const report of testFiles(files, (line) => printLine(stderr(), line))) {
    sound &&= report.sound;
    printLines(stdout(), report.lines);
    if (report.failure !== undefined) printText(stderr(), failureText(report.failure, debug));
  }
  return sound ? ExitCode.done : ExitCode.failed;
});
