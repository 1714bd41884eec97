/** `-S`, `squeeze` */
import { Command, Option } from 'clipanion';
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
    process.stdout.write(
      result.alreadySqueezed
        ? `${result.file}: squeezed already, left as it is\n`
        : `${result.file}: ${result.connections} connections (${result.open} without an end, ` +
            `${result.startUnseen} without a start), ${result.bytesBefore} bytes before, ${result.bytesAfter} after\n`,
    );
    return result.exitCode;
  }
}
