/**
 * What conntrack-tools prints, in our words: a reader of the kernel's table and events that owes nothing to
 * ours.
 */
import { once } from 'node:events';
import { connectionText, Proto } from './connection.js';
import type { Namespace } from './namespace.js';

const TUPLE = /src=(\S+) dst=(\S+) (?:sport=(\d+) dport=(\d+)|type=(\d+) code=(\d+) id=(\d+))/g;

/** Both tuples of a line of `conntrack -L` or `-E`, as `connectionText` has them. */
function toolText(line: string): string {
  const [orig, reply] = [...line.matchAll(TUPLE)].map(([, src, dst, sport, dport, type, code, id]) =>
    type === undefined
      ? { src, dst, sport: Number(sport), dport: Number(dport) }
      : { src, dst, sport: Number(id), dport: (Number(type) << 8) | Number(code) },
  );
  if (reply === undefined) throw new Error(`conntrack: not a line with two tuples: ${line}`);
  return connectionText({ proto: line.includes(' type=') ? Proto.icmp : 0, orig, reply });
}

/** The namespace's table. */
export function toolTable(namespace: Namespace): string[] {
  return ['ipv4', 'ipv6'].flatMap((family) =>
    lines(namespace.run('conntrack', ['-L', '-f', family])).map(toolText),
  );
}

/** Follow the events of a namespace, each as letter and text; else as `toolLines`. */
export async function toolEvents(namespace: Namespace): Promise<(count: number) => Promise<string[]>> {
  const stop = await toolLines(namespace);
  return async (count) =>
    (await stop(count)).map((line) => (line.includes('[NEW]') ? 'S' : 'E') + toolText(line));
}

/**
 * Follow the events of a namespace until the returned function is called, which waits until there are `count`
 * and answers all lines as printed. It fails beyond about 160 events in one burst: version 1.4.7 sets `-b` on
 * another socket than the one it reads.
 */
export async function toolLines(namespace: Namespace): Promise<(count: number) => Promise<string[]>> {
  const before = listenerCount(namespace);
  const child = namespace.spawn('conntrack', ['-E', '-e', 'NEW,DESTROY', '-o', 'timestamp,id'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let complaints = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  const closed = once(child, 'close');
  while (listenerCount(namespace) <= before) await new Promise((resolve) => setTimeout(resolve, 5));
  return async (count) => {
    while (lines(output).length < count) {
      if (complaints.includes('ENOBUFS')) throw new Error(`conntrack -E lost events: ${complaints}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill('SIGTERM');
    await closed;
    return lines(output);
  };
}

/**
 * Netlink sockets of the namespace with conntrack's NEW and DESTROY groups (1 and 3) joined, from
 * /proc/net/netlink.
 */
function listenerCount(namespace: Namespace): number {
  return lines(namespace.run('cat', ['/proc/net/netlink']))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, protocol, , groups]) => protocol === '12' && (Number.parseInt(groups, 16) & 0b101) === 0b101)
    .length;
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '');
