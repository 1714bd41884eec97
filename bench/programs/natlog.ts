/** natlog, which reads a `conntrack -E` of its own and writes one line a connection when it ends. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ObservedProcess } from '../../test/lab/process.js';
import type { KnownLoss, Program, Recording, Site } from './program.js';
import { type LineFormat, notInstalled, readEvents, versionLine } from './text.js';

/**
 * `(EOP)`: open when natlog was stopped. It does not print the reply's source, which a source NAT leaves
 * alone.
 */
export const natlogFormat: LineFormat = {
  pattern:
    /: +(?<proto>tcp|udp) (?<src>[\d.]+),(?<sport>\d+) +\(via: (?<rdst>[\d.]+),(?<rdport>\d+)\) +to (?<dst>[\d.]+),(?<dport>\d+);/,
  kindOf: (line) => (line.includes('(EOP)') ? 'start' : 'both'),
};

const CONNTRACK = '/usr/sbin/conntrack';

export class Natlog implements Program {
  readonly name = 'natlog';

  /** `natlog --version` crashes in Debian 12's build. */
  version(): string {
    return versionLine('dpkg-query', ['-W', 'natlog']).replace('\t', ' ');
  }

  obstacle(): string | undefined {
    if (!existsSync(CONNTRACK)) return `it needs ${CONNTRACK} (make bench-debs)`;
    return notInstalled('natlog');
  }

  async start({ namespace, output, bufferKiB }: Site): Promise<Recording> {
    const file = path.join(output, 'events');
    // Without -n: entries made through ctnetlink are translated, but not marked as such.
    const source = `${CONNTRACK} -E -o timestamp -e NEW,DESTROY -b ${bufferKiB * 1024}`;
    const args = ['--no-daemon', '--protocol', 'tcp:udp', '--conntrack-command', source, '--log', file];
    return {
      process: await ObservedProcess.start(namespace, 'natlog', [...args, 'conntrack']),
      readBack: (take) => readEvents(file, natlogFormat, take),
      // It swallows what its conntrack says.
      knownLoss: (): KnownLoss => ({ note: 'nothing' }),
    };
  }
}
