/** `stats` */
import { ExitCode, report as failureText } from '../../base/failure.js';
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
  const [{ TimeWriter }, { localZone }, { fileStats, LogStats }, { statsJson, statsText }] =
    await Promise.all([
      import('../../base/time/time-text.js'),
      import('../../base/time/zone.js'),
      import('../../find/upkeep/stats.js'),
      import('../../find/upkeep/stats-text.js'),
    ]);
  const times = new TimeWriter(localZone());
  const print = (...[of, found]: Parameters<typeof statsJson>) =>
    void process.stdout.write(json ? statsJson(of, found) : statsText(of, found, times));
  const sum = new LogStats();
  let isSound = true;
  for await (const found of fileStats(files, (line) => void process.stderr.write(`${line}\n`))) {
    if ('failure' in found) {
      process.stderr.write(failureText(found.failure, debug));
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
