/**
 * Makes test/fixtures/messages/linux-RELEASE.txt again, from the kernel it runs on: `node
 * dist/test/conntrack/capture-main.js FILE`, as root. Real traffic through the lab's gateway, and entries put
 * in with `conntrack -I` for what the lab cannot send. Messages are those that `--save-messages` keeps; above
 * each stands what conntrack-tools, listening beside it, said of the same event.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { COOKED_HEADER_BYTES } from '../../../src/record/replay/cooked.js';
import { toolLines } from '../../lab/conntrack-tool.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';
import { addresses, Gateway } from '../../lab/gateway.js';
import type { ConntrackSysctls } from '../../lab/namespace.js';
import { ObservedProcess } from '../../lab/process.js';
import { readAll } from '../replay/captures.js';

interface Section {
  readonly title: string;
  /** What the gateway does beside NAT, as rules of a chain in prerouting. */
  readonly rules?: readonly string[];
  readonly priority?: 'raw' | 'filter';
  /** Words of `conntrack -I`, or traffic of the lab, which answers how many connections it made. */
  readonly insert?: readonly string[];
  readonly traffic?: (lab: Gateway) => Promise<number>;
  readonly sysctls?: ConntrackSysctls;
}

const EVERYTHING: ConntrackSysctls = { acct: 1, timestamp: 1 };
const INSERTED = '-s 192.168.77.2 -d 198.51.100.80 -t 60';

const sections: readonly Section[] = [
  { title: 'IPv4 TCP, masqueraded: a page', traffic: count((lab) => lab.fetch(1)) },
  { title: 'IPv6 TCP, masqueraded: a page', traffic: count((lab) => lab.fetch(1, { family: 6 })) },
  { title: 'IPv6 UDP, masqueraded, answered', traffic: count((lab) => lab.udpAnswered(1, { family: 6 })) },
  {
    title: 'IPv6 UDP, masqueraded, unanswered',
    traffic: count((lab) => lab.udpUnanswered(1, { family: 6 })),
  },
  { title: 'ICMP echo, masqueraded', traffic: count((lab) => lab.ping(1)) },
  { title: 'ICMPv6 echo, masqueraded', traffic: count((lab) => lab.ping(1, { family: 6 })) },
  { title: 'IPv4 TCP through the port forward (DNAT)', traffic: count((lab) => lab.fetchForwarded(1)) },
  {
    title: 'IPv6 TCP through the port forward (DNAT)',
    traffic: count((lab) => lab.fetchForwarded(1, { family: 6 })),
  },
  {
    title: 'a zone of both tuples',
    priority: 'raw',
    rules: ['ct zone set 5'],
    traffic: count((lab) => lab.udpAnswered(1)),
  },
  {
    title: 'a zone of the original tuple only',
    priority: 'raw',
    rules: ['iifname "inside" ct original zone set 7'],
    traffic: count((lab) => lab.udpAnswered(1)),
  },
  {
    title: 'a zone of the reply tuple only',
    priority: 'raw',
    rules: ['iifname "inside" ct reply zone set 9'],
    traffic: count((lab) => lab.udpUnanswered(1)),
  },
  {
    title: 'a mark and a label',
    rules: ['iifname "inside" ct mark set 0x2a ct label set 35'],
    traffic: count((lab) => lab.udpAnswered(1)),
  },
  {
    title: 'a helper: FTP control connection, and the data connection that it expects',
    rules: ['tcp dport 21 ct helper set "ftp"'],
    traffic: fetchFtp,
  },
  {
    title: 'neither counters nor times',
    sysctls: { acct: 0, timestamp: 0 },
    traffic: count((lab) => lab.udpAnswered(1)),
  },
  {
    title: 'SCTP',
    insert:
      `-p sctp ${INSERTED} --sport 5000 --dport 5001 --state ESTABLISHED --orig-vtag 1 --reply-vtag 2`.split(
        ' ',
      ),
  },
  { title: 'UDP-Lite', insert: `-p udplite ${INSERTED} --sport 5000 --dport 5001`.split(' ') },
  { title: 'GRE', insert: `-p gre ${INSERTED} --srckey 0x17 --dstkey 0x18`.split(' ') },
  {
    title: 'DCCP, of which this kernel knows no ports',
    insert: `-p dccp ${INSERTED} --sport 5000 --dport 5001 --state OPEN --role client`.split(' '),
  },
  { title: 'ESP, without ports', insert: `-p 50 ${INSERTED}`.split(' ') },
];

/** A traffic method of the lab as the number of its connections. */
function count(traffic: (lab: Gateway) => readonly unknown[] | Promise<readonly unknown[]>) {
  return async (lab: Gateway) => (await traffic(lab)).length;
}

async function fetchFtp(lab: Gateway): Promise<number> {
  const script = fileURLToPath(new URL('ftp-main.js', import.meta.url));
  const server = lab.server.spawn(process.execPath, [script, 'serve', addresses[4].server]);
  await once(server.stdout!, 'data');
  lab.client.run(process.execPath, [script, 'fetch', addresses[4].server]);
  server.kill();
  return 2;
}

function ruleset({ rules = [], priority = 'filter' }: Section): string {
  return `table inet golden {
  ct helper ftp {
    type "ftp" protocol tcp
  }
  chain prerouting {
    type filter hook prerouting priority ${priority}
    ${rules.join('\n    ')}
  }
}`;
}

/** The section's events: what the tool said, and the message. */
async function capture(lab: Gateway, section: Section, folder: string): Promise<string[]> {
  const { gateway } = lab;
  const { sysctls = EVERYTHING, rules, insert, traffic } = section;
  const pcap = path.join(folder, `${section.title.replaceAll(/\W+/g, '-')}.pcap`);
  gateway.conntrackSysctls(sysctls);
  if (rules) gateway.run('nft', ['-f', '-'], ruleset(section));
  const recorder = await ObservedProcess.recorder(
    gateway,
    ['-C', '-F', '-p', 'all', '-f', `${pcap}.ct`, '--save-messages', pcap],
    { cwd: folder },
  );
  await recorder.says(/recording to/);
  const stopTool = await toolLines(gateway);
  if (insert) gateway.run('conntrack', ['-I', ...insert]);
  const connections = insert ? 1 : await traffic!(lab);
  await lab.endAll();
  const lines = await stopTool(2 * connections);
  await recorder.stop();
  if (rules) gateway.run('nft', ['delete table inet golden']);
  const packets = await readAll(readFileSync(pcap));
  return packets.map(({ bytes }) => {
    const message = Buffer.from(bytes.subarray(COOKED_HEADER_BYTES));
    return `${saidOf(message, lines)}\n${message.toString('hex')}`;
  });
}

/**
 * Two listeners may get events in different order: the conntrack id (CTA_ID, 12) and the type lead from one
 * to the other.
 */
function saidOf(message: Buffer, lines: readonly string[]): string {
  const id = message.readUInt32BE(message.indexOf(Buffer.from('08000c00', 'hex')) + 4);
  const event = message[4] === 0 ? 'NEW' : 'DESTROY';
  for (const line of lines) {
    // Without the time of receipt, the width of columns, and the process that ended the entry.
    const said = /(\[(NEW|DESTROY)\] .* id=(\d+))(?: \[USERSPACE\].*)?$/.exec(line);
    if (said?.[2] === event && said[3] === String(id)) return said[1].replaceAll(/ +/g, ' ');
  }
  throw new Error(`capture: conntrack did not say ${event} of ${id}: ${lines}`);
}

const folder = makeFolder('capture');
const lab = await Gateway.start(EVERYTHING);
try {
  const version = /v[\d.]+/.exec(execFileSync('conntrack', ['-V'], { encoding: 'utf8' }))![0];
  const kernel = /^\d+\.\d+/.exec(release())![0];
  let text = `# Linux ${kernel} (${process.arch}), conntrack-tools ${version}, made by test/record/conntrack/capture-main.ts: see README.md\n`;
  for (const section of sections) {
    text += `\n## ${section.title}\n`;
    for (const rule of section.rules ?? [])
      text += `# nft, prerouting, ${section.priority ?? 'filter'}: ${rule}\n`;
    if (section.insert) text += `# conntrack -I ${section.insert.join(' ')}\n`;
    text += `${(await capture(lab, section, folder)).join('\n')}\n`;
    console.log(section.title);
  }
  writeFileSync(process.argv[2], text);
} finally {
  lab.remove();
  removeFolder(folder);
}
process.exit();
