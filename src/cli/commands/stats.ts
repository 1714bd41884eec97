/** `stats` */
import { Command, Option } from '../clipanion.js';
import { ExitCode, report as failureText } from '../failure.js';
import { needFile } from '../parse.js';

export class StatsCommand extends Command {
  static override paths = [['stats']];

  readonly file = Option.Array('--file', []);
  readonly files = Option.Rest();
  readonly json = Option.Boolean('--json', false);
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const files = [...this.file, ...this.files];
    needFile('stats', files[0]);
    const { fileStats, LogStats } = await import('../../query/stats.js');
    const { statsJson, statsText } = await import('../../query/stats-text.js');
    const { localZone, TimeWriter } = await import('../../query/time.js');
    const times = new TimeWriter(localZone());
    const print = (...[of, stats]: Parameters<typeof statsJson>) =>
      void process.stdout.write(this.json ? statsJson(of, stats) : statsText(of, stats, times));
    const sum = new LogStats();
    let isSound = true;
    for await (const found of fileStats(files, (line) => void process.stderr.write(`${line}\n`))) {
      if ('failure' in found) {
        process.stderr.write(failureText(found.failure, this.debug));
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
