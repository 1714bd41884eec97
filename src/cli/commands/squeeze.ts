/** `-S`, `squeeze` */
import { Command, Option } from 'clipanion';
import { printLine, printLines, stderr, stdout } from '../../base/terminal.js';
import { type SqueezeResult, squeeze } from '../../find/upkeep/squeeze.js';
import { runnerOf } from '../args/runner.js';
import { needFile } from '../args/values.js';

export class SqueezeCommand extends Command {
  static override paths = [['squeeze']];

  readonly file = Option.String('--file');
  readonly output = Option.String('--output');
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const file = needFile('-S', this.file);
    const result = await squeeze({ file, ...(this.output !== undefined && { output: this.output }) });
    printLines(stderr(), result.damage);
    if (result.damage.length > 0 && this.output === undefined)
      printLine(stderr(), `${file}: left as it is; -o FILE squeezes what is readable`);
    else printLine(stdout(), summary(result));
    return result.exitCode;
  }
}

function summary(result: SqueezeResult): string {
  if (result.alreadySqueezed) return `${result.file}: squeezed already, left as it is`;
  const { file, connections, open, startUnseen, bytesBefore, bytesAfter } = result;
  // Nobody knows the size of a pipe.
  const size = bytesBefore > 0 ? `${bytesBefore} bytes before, ${bytesAfter} after` : `${bytesAfter} bytes`;
  return `${file}: ${connections} connections (${open} without an end, ${startUnseen} without a start), ${size}`;
}

export const run = runnerOf(SqueezeCommand);
