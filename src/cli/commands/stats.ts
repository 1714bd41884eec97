/** `stats` */
import { Command, Option } from 'clipanion';
import { ExitCode, report as failureText } from '../../base/failure.js';
import { printLine, printLines, printText, stderr, stdout } from '../../base/terminal.js';
import { TimeWriter } from '../../base/time/time-text.js';
import { localZone } from '../../base/time/zone.js';
import { fileStats, LogStats } from '../../find/upkeep/stats.js';
import { statsJson, statsLines } from '../../find/upkeep/stats-text.js';
import { runnerOf } from '../args/runner.js';
import { needFile } from '../args/values.js';

export class StatsCommand extends Command {
  static override paths = [['stats']];

  readonly file = Option.Array('--file', []);
  readonly files = Option.Rest();
  readonly json = Option.Boolean('--json', false);
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const files = [...this.file, ...this.files];
    needFile('stats', files[0]);
    const times = new TimeWriter(localZone());
    const print = (...[of, stats]: Parameters<typeof statsJson>) =>
      printLines(stdout(), this.json ? [statsJson(of, stats)] : statsLines(of, stats, times));
    const sum = new LogStats();
    let isSound = true;
    for await (const found of fileStats(files, (line) => printLine(stderr(), line))) {
      if ('failure' in found) {
        printText(stderr(), failureText(found.failure, this.debug));
        isSound = false;
        continue;
      }
      print(found, found.stats);
      sum.addFile(found.stats);
      isSound &&= found.stats.damaged === 0;
    }
    if (files.length > 1) print(undefined, sum);
    return isSound ? ExitCode.done : ExitCode.failed;
  }
}

export const run = runnerOf(StatsCommand);
