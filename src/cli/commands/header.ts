/** `-H`, `header` */

import { ExitCode } from '../../base/failure.js';
import { printLine, printLines, stderr, stdout } from '../../base/terminal.js';
import { debug, logFile } from '../args/common-options.js';
import { command } from '../args/declaration.js';
import { runner } from '../args/runner.js';

export const header = command({
  letter: 'H',
  word: 'header',
  summary: 'print the header of a log file',
  options: { file: logFile, debug },
  examples: ['ctrecorder -Hf nat.ct'],
});

export const run = runner(header, async ({ file }) => {
  const { openLog } = await import('../../log/read/open.js');
  const source = await openLog(file, (line) => printLine(stderr(), line));
  try {
    printLines(stdout(), source.header.lines);
  } finally {
    await source.close();
  }
  return ExitCode.done;
});
