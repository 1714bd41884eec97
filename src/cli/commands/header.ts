/** `-H`, `header` */
import { ExitCode } from '../../base/failure.js';
import { debug, logFile } from '../args/common-options.js';
import { command } from '../args/declaration.js';
import { printLine } from '../args/print-line.js';
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
  const source = await openLog(file, (line) => printLine(process.stderr, line));
  try {
    for (const line of source.header.lines) printLine(process.stdout, line);
  } finally {
    await source.close();
  }
  return ExitCode.done;
});
