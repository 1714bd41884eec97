/** `conntrack -E` of conntrack-tools, its standard output in a file. */
import path from 'node:path';
import { ObservedProcess } from '../../test/lab/process.js';
import { type KnownLoss, type Program, type Recording, type Site, warned } from './program.js';
import { type LineFormat, notInstalled, readEvents, versionLine } from './text.js';

/** A line of `conntrack -E`, and of `conntrack -L`, whose entries count as starts. */
export const conntrackFormat: LineFormat = {
  pattern:
    /(?<proto>tcp|udp) +\d+ .*?src=(?<src>\S+) dst=(?<dst>\S+) sport=(?<sport>\d+) dport=(?<dport>\d+) .*?src=(?<rsrc>\S+) dst=(?<rdst>\S+) sport=(?<rsport>\d+) dport=(?<rdport>\d+)/,
  kindOf: (line) => (line.includes('[DESTROY]') ? 'end' : 'start'),
};

/** Its command line for events with time and id; the buffer in bytes. */
function conntrackArguments(bufferKiB: number): string[] {
  return ['-E', '-e', 'NEW,DESTROY', '-o', 'timestamp,id', '-b', String(bufferKiB * 1024)];
}

export class ConntrackTool implements Program {
  readonly name = 'conntrack -E';

  version(): string {
    return versionLine('conntrack', ['--version']);
  }

  obstacle(): string | undefined {
    return notInstalled('conntrack');
  }

  async start({ namespace, output, bufferKiB }: Site): Promise<Recording> {
    const file = path.join(output, 'events');
    const redirected = ['-c', 'file=$1; shift; exec conntrack "$@" >"$file"', 'sh', file];
    return {
      process: await ObservedProcess.start(namespace, 'sh', [
        ...redirected,
        ...conntrackArguments(bufferKiB),
      ]),
      readBack: (take) => readEvents(file, conntrackFormat, take),
      knownLoss: ({ stderr }): KnownLoss => warned(stderr.match(/We are losing events/g)?.length ?? 0),
    };
  }
}
