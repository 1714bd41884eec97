/** `-L`, `list` */
import { Command, Option } from 'clipanion';
import { type ListOptions, list } from '../../find/query/list.js';
import { runnerOf } from '../args/runner.js';
import { needFile, parsePorts } from '../args/values.js';

export class ListCommand extends Command {
  static override paths = [['list']];

  readonly file = Option.String('--file');
  readonly address = Option.Array('--address', []);
  readonly port = Option.Array('--port', []);
  readonly squeeze = Option.Boolean('--squeeze', false);
  readonly noHeader = Option.Boolean('--no-header', false);
  readonly json = Option.Boolean('--json', false);
  readonly showSnapshots = Option.Boolean('--show-snapshots', false);
  readonly showGaps = Option.Boolean('--show-gaps', false);
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const options: ListOptions = {
      file: needFile('-L', this.file),
      networks: this.address.flatMap((text) => text.split(',')),
      ports: this.port.flatMap((text) => parsePorts('-p', text)),
      squeeze: this.squeeze,
      noHeader: this.noHeader,
      format: this.json ? 'json' : 'lines',
      showSnapshots: this.showSnapshots,
      showGaps: this.showGaps,
    };
    const { exitCode } = await list(options, { stdout: process.stdout, stderr: process.stderr });
    return exitCode;
  }
}

export const run = runnerOf(ListCommand);
