/** `-S`, `squeeze` */
import { Command, Option } from 'clipanion';
import type { SqueezeResult } from '../../query/options.js';
import { needFile } from './need-file.js';

export class SqueezeCommand extends Command {
  static override paths = [['squeeze']];

  readonly file = Option.String('--file');
  readonly output = Option.String('--output');
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const file = needFile('-S', this.file);
    const { squeeze } = await import('../../query/squeeze.js');
    const result = await squeeze({ file, ...(this.output !== undefined && { output: this.output }) });
    for (const line of result.damage) process.stderr.write(`${line}\n`);
    if (result.damage.length > 0 && this.output === undefined)
      process.stderr.write(`${file}: left as it is; -o FILE squeezes what is readable\n`);
    else process.stdout.write(`${summary(result)}\n`);
    return result.exitCode;
  }
}

function summary(result: SqueezeResult): string {
  if (result.alreadySqueezed) return `${result.file}: squeezed already, left as it is`;
  const { file, connections, open, startUnseen, bytesBefore, bytesAfter } = result;
  return (
    `${file}: ${connections} connections (${open} without an end, ${startUnseen} without a start), ` +
    `${bytesBefore} bytes before, ${bytesAfter} after`
  );
}
