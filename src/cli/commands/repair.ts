/** `repair` */

import { counted } from '../../base/counted.js';
import { ExitCode } from '../../base/failure.js';
import { printLines, stdout } from '../../base/terminal.js';
import type { RepairResult } from '../../find/upkeep/repair.js';
import { damageText } from '../../log/read/source.js';
import { debug, logFile, parseFile } from '../args/common-options.js';
import { command } from '../args/declaration.js';
import { runner } from '../args/runner.js';

export const repair = command({
  word: 'repair',
  summary: 'write what is intact in a damaged log file to a new one, with gaps where something was lost',
  options: {
    file: {
      ...logFile,
      positional: true,
      help: 'log file of format 3, not compressed; it is only read',
    },
    output: {
      letter: 'o',
      name: 'output',
      value: 'FILE',
      help: 'write to FILE, which must not exist',
      parse: parseFile,
      required: 'a new file, since it never changes the damaged one',
    },
    debug,
  },
  examples: ['ctrecorder repair nat.ct -o nat-repaired.ct'],
});

export const run = runner(repair, async ({ file, output }) => {
  const [{ TimeWriter }, { localZone }, { gapLine }, { repair }] = await Promise.all([
    import('../../base/time/time-text.js'),
    import('../../base/time/zone.js'),
    import('../../find/output/gap-text.js'),
    import('../../find/upkeep/repair.js'),
  ]);
  const times = new TimeWriter(localZone());
  const result = await repair({ file, output });
  const { damage, damageCount, gaps, gapCount } = result;
  const lines = damage.map((one) => `${result.file}: ${damageText(one)}`);
  if (damageCount > damage.length)
    lines.push(`${result.file}: ${counted(damageCount - damage.length, 'more damaged place')}`);
  lines.push(...gaps.map((gap) => gapLine(gap, times)));
  if (gapCount > gaps.length) lines.push(`# and ${counted(gapCount - gaps.length, 'more gap')}`);
  printLines(stdout(), [...lines, summary(result)]);
  return ExitCode.done;
});

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
  const kept = `${output}: ${counted(blocks, 'data block')} with ${counted(records, 'record')} kept`;
  if (damageCount === 0) return `${kept}: ${file} was not damaged`;
  const lost = lostUncounted ? `${lostBlocks} known to be lost, perhaps more` : `${lostBlocks} lost`;
  return `${kept}, ${lost}, ${gapCount === 0 ? 'no gaps' : counted(gapCount, 'gap')} inserted`;
}
