/** `-S`, `squeeze` */
import { printLine, printLines, stderr, stdout } from '../../base/terminal.js';
import type { SqueezeResult } from '../../find/upkeep/squeeze.js';
import { debug, logFile, parseFile } from '../args/common-options.js';
import { command } from '../args/declaration.js';
import { runner } from '../args/runner.js';

export const squeeze = command({
  letter: 'S',
  word: 'squeeze',
  summary: 'join starts and ends, and store one record per connection',
  options: {
    file: logFile,
    output: {
      letter: 'o',
      name: 'output',
      value: 'FILE',
      help: 'write to FILE, which must not exist',
      parse: parseFile,
      defaultText: 'replace the log file, once the new one has been verified',
    },
    debug,
  },
  examples: ['ctrecorder -Sf nat.ct', 'ctrecorder squeeze -f nat.ct -o nat-squeezed.ct'],
});

export const run = runner(squeeze, async ({ file, output }) => {
  const { squeeze } = await import('../../find/upkeep/squeeze.js');
  const result = await squeeze({ file, ...(output !== undefined && { output }) });
  printLines(stderr(), result.damage);
  if (result.damage.length > 0 && output === undefined)
    printLine(stderr(), `${file}: left as it is; -o FILE squeezes what is readable`);
  else printLine(stdout(), summary(result));
  return result.exitCode;
});

function summary(result: SqueezeResult): string {
  if (result.alreadySqueezed) return `${result.file}: already squeezed, left as it is`;
  const { file, connections, open, startUnseen, bytesBefore, bytesAfter } = result;
  // Nobody knows the size of a pipe.
  const size = bytesBefore > 0 ? `${bytesBefore} bytes before, ${bytesAfter} after` : `${bytesAfter} bytes`;
  return `${file}: ${connections} connections (${open} without an end, ${startUnseen} without a start), ${size}`;
}
