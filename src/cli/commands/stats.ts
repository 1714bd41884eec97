/** `stats` */

import { ExitCode, report as failureText } from '../../base/failure.js';
import { printLine, printLines, printText, stderr, stdout } from '../../base/terminal.js';
import { debug, logFiles } from '../args/common-options.js';
import { command } from '../args/declaration.js';
import { runner } from '../args/runner.js';

export const stats = command({
  word: 'stats',
  summary: 'print what log files hold and what is missing from them',
  options: {
    files: logFiles,
    json: {
      name: 'json',
      help: 'print one JSON object per file, and one for all of them (docs/json.md)',
    },
    debug,
  },
  examples: ['ctrecorder stats -f nat.ct', 'ctrecorder stats --json 2026-*.ct'],
});

export const run = runner(stats, async ({ files, json, debug }) => {
  const [{ TimeWriter }, { localZone }, { fileStats, LogStats }, { statsJson, statsLines }] =
    await Promise.all([
      import('../../base/time/time-text.js'),
      import('../../base/time/zone.js'),
      import('../../find/upkeep/stats.js'),
      import('../../find/upkeep/stats-text.js'),
    ]);
  const times = new TimeWriter(localZone());
  const print = (...[of, found]: Parameters<typeof statsJson>) =>
    printLines(stdout(), json ? [statsJson(of, found)] : statsLines(of, found, times));
  const sum = new LogStats();
  let isSound = true;
  for await (const found of fileStats(files, (line) => printLine(stderr(), line))) {
    if ('failure' in found) {
      printText(stderr(), failureText(found.failure, debug));
      isSound = false;
      continue;
    }
    print(found, found.stats);
    sum.addFile(found.stats);
    isSound &&= found.stats.damaged === 0;
  }
  if (files.length > 1) print(undefined, sum);
  return isSound ? ExitCode.done : ExitCode.failed;
});
