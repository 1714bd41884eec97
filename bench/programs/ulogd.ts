/**
 * ulogd2 with its NFCT input, no hash table (an event a line, nothing joined), to one of its file outputs.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ObservedProcess } from '../../test/lab/process.js';
import { type KnownLoss, type Program, type Recording, type Site, warned } from './program.js';
import { type LineFormat, notInstalled, readEvents, versionLine } from './text.js';

const PLUGINS = ['/usr/lib/x86_64-linux-gnu/ulogd', '/usr/lib/aarch64-linux-gnu/ulogd', '/usr/lib/ulogd'];
/** IPCT_NEW and IPCT_DESTROY. */
const EVENT_MASK = 5;

interface Output {
  /** Plugins after NFCT, `name:PLUGIN`; the last writes. */
  readonly stack: string;
  readonly plugins: readonly string[];
  /** Lines of the writer's section. */
  settings(folder: string): readonly string[];
  readonly format: LineFormat;
}

const file = (folder: string) => [`file="${folder}/events"`, 'sync=0'];
/** ct.event as GPRINT and JSON write it: 1 NEW, 4 DESTROY. */
const kindByNumber = (line: string) => (/ct\.event"?[=:] ?1\b/.test(line) ? 'start' : 'end');

export const ulogdOutputs = {
  LOGEMU: {
    stack: 'ip2str1:IP2STR,print1:PRINTFLOW,out1:LOGEMU',
    plugins: ['filter_IP2STR', 'filter_PRINTFLOW', 'output_LOGEMU'],
    settings: file,
    format: {
      pattern:
        /\] ORIG: SRC=(?<src>\S+) DST=(?<dst>\S+) PROTO=(?<proto>\S+) SPT=(?<sport>\d+) DPT=(?<dport>\d+) .*REPLY: SRC=(?<rsrc>\S+) DST=(?<rdst>\S+) PROTO=\S+ SPT=(?<rsport>\d+) DPT=(?<rdport>\d+)/,
      kindOf: (line) => (line.includes('[NEW]') ? 'start' : 'end'),
    },
  },
  GPRINT: {
    stack: 'ip2str1:IP2STR,out1:GPRINT',
    plugins: ['filter_IP2STR', 'output_GPRINT'],
    settings: file,
    format: {
      pattern:
        /orig\.ip\.protocol=(?<proto>\d+),orig\.l4\.sport=(?<sport>\d+),orig\.l4\.dport=(?<dport>\d+),.*reply\.l4\.sport=(?<rsport>\d+),reply\.l4\.dport=(?<rdport>\d+),.*orig\.ip\.saddr\.str=(?<src>[^,]+),orig\.ip\.daddr\.str=(?<dst>[^,]+),reply\.ip\.saddr\.str=(?<rsrc>[^,]+),reply\.ip\.daddr\.str=(?<rdst>[^,]+)/,
      kindOf: kindByNumber,
    },
  },
  JSON: {
    stack: 'ip2str1:IP2STR,out1:JSON',
    plugins: ['filter_IP2STR', 'output_JSON'],
    settings: file,
    format: {
      pattern:
        /"orig\.ip\.protocol": (?<proto>\d+), "orig\.l4\.sport": (?<sport>\d+), "orig\.l4\.dport": (?<dport>\d+), .*"reply\.l4\.sport": (?<rsport>\d+), "reply\.l4\.dport": (?<rdport>\d+), .*"src_ip": "(?<src>[^"]+)", "dest_ip": "(?<dst>[^"]+)", "reply\.ip\.saddr\.str": "(?<rsrc>[^"]+)", "reply\.ip\.daddr\.str": "(?<rdst>[^"]+)"/,
      kindOf: kindByNumber,
    },
  },
  XML: {
    stack: 'out1:XML',
    plugins: ['output_XML'],
    settings: (folder) => [`directory="${folder}"`, 'sync=0'],
    format: {
      pattern:
        /<src>(?<src>[^<]+)<\/src><dst>(?<dst>[^<]+)<\/dst><\/layer3><layer4 protonum="(?<proto>\d+)" [^>]*><sport>(?<sport>\d+)<\/sport><dport>(?<dport>\d+)<\/dport>.*<src>(?<rsrc>[^<]+)<\/src><dst>(?<rdst>[^<]+)<\/dst><\/layer3><layer4 [^>]*><sport>(?<rsport>\d+)<\/sport><dport>(?<rdport>\d+)<\/dport>/,
      // It does not say what the event was, but only an end has lasted.
      kindOf: (line) => (line.includes('<deltatime>') ? 'end' : 'start'),
    },
  },
} as const satisfies Record<string, Output>;

export type UlogdOutput = keyof typeof ulogdOutputs;

export class Ulogd implements Program {
  readonly name: string;

  constructor(readonly output: UlogdOutput) {
    this.name = `ulogd2 ${output}`;
  }

  version(): string {
    return `${versionLine('ulogd', ['-V'])}, NFCT to ${this.output}`;
  }

  obstacle(): string | undefined {
    const missing = notInstalled('ulogd');
    if (missing !== undefined) return missing;
    const plugin = ulogdOutputs[this.output].plugins.find((name) => pluginFile(name) === undefined);
    return plugin === undefined ? undefined : `its plugin ${plugin} is not installed (make bench-debs)`;
  }

  async start(site: Site): Promise<Recording> {
    const { format } = ulogdOutputs[this.output];
    const configuration = path.join(site.folder, 'ulogd.conf');
    const log = path.join(site.folder, 'ulogd.log');
    writeFileSync(configuration, this.#configuration(site, log));
    return {
      process: await ObservedProcess.start(site.namespace, 'ulogd', ['-c', configuration]),
      readBack: async (take) => {
        for (const name of readdirSync(site.output))
          await readEvents(path.join(site.output, name), format, take);
      },
      knownLoss: (): KnownLoss =>
        warned(readFileSync(log, 'utf8').match(/We are losing events|Maximum buffer size/g)?.length ?? 0),
    };
  }

  #configuration({ output, bufferKiB }: Site, log: string): string {
    const { stack, plugins, settings } = ulogdOutputs[this.output];
    const bytes = bufferKiB * 1024;
    return [
      '[global]',
      `logfile="${log}"`,
      'loglevel=5',
      ...['inpflow_NFCT', ...plugins].map((name) => `plugin="${pluginFile(name)}"`),
      `stack=ct1:NFCT,${stack}`,
      '[ct1]',
      'hash_enable=0',
      `event_mask=${EVENT_MASK}`,
      `netlink_socket_buffer_size=${bytes}`,
      // The size must be below the maximum to be set at all.
      `netlink_socket_buffer_maxsize=${bytes + 1}`,
      '[out1]',
      ...settings(output),
      '',
    ].join('\n');
  }
}

function pluginFile(name: string): string | undefined {
  for (const folder of PLUGINS) {
    try {
      const found = readdirSync(folder).find((file) => file === `ulogd_${name}.so`);
      if (found !== undefined) return path.join(folder, found);
    } catch {
      // Another system's folder.
    }
  }
  return undefined;
}
