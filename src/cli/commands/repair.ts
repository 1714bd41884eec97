/** `repair` */
import { Command, Option } from 'clipanion';
import { UsageError } from '../../base/errors.js';
import { ExitCode } from '../../base/failure.js';
import { quoted } from '../../base/printable.js';
import { printLines, stdout } from '../../base/terminal.js';
import { TimeWriter } from '../../base/time/time-text.js';
import { localZone } from '../../base/time/zone.js';
import { gapLine } from '../../find/output/gap-text.js';
import { type RepairResult, repair } from '../../find/upkeep/repair.js';
import { runnerOf } from '../args/runner.js';
import { needFile } from '../args/values.js';

export class RepairCommand extends Command {
  static override paths = [['repair']];

  readonly file = Option.Array('--file', []);
  readonly files = Option.Rest();
  readonly output = Option.String('--output');
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const [file, extra] = [...this.file, ...this.files];
    needFile('repair', file);
    if (extra !== undefined)
      throw new UsageError(`${quoted(extra)}: repair takes one file; repair them one by one`);
    if (this.output === undefined || this.output === '')
      throw new UsageError('repair never changes its file: name a new one with -o FILE');
    const times = new TimeWriter(localZone());
    const result = await repair({ file, output: this.output });
    const { damage, damageCount, gaps, gapCount } = result;
    const lines = damage.map(
      (d) => `${result.file}: offset ${d.offsetBytes}, ${d.lengthBytes} bytes: ${d.what}`,
    );
    if (damageCount > damage.length) lines.push(`${result.file}: ${damageCount - damage.length} more places`);
    lines.push(...gaps.map((gap) => gapLine(gap, times)));
    if (gapCount > gaps.length) lines.push(`# and ${gapCount - gaps.length} more gaps`);
    printLines(stdout(), [...lines, summary(result)]);
    return ExitCode.done;
  }
}

function summary({
  file,
  output,
  blocks,
  records,
  lostBlocks,
  lostUncounted,
  damageCount,
  gapCount,
}: RepairResult) {
  const kept = `${output}: ${blocks} data blocks with ${records} records kept`;
  if (damageCount === 0) return `${kept}: ${file} was not damaged`;
  const lost = lostUncounted ? `${lostBlocks} known to be lost, perhaps more` : `${lostBlocks} lost`;
  return `${kept}, ${lost}, ${gapCount} gap${gapCount === 1 ? '' : 's'} put in`;
}

export const run = runnerOf(RepairCommand);
