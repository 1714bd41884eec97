import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Connection } from '../test/lab/connection.js';
import { makeFolder, visibleNames } from '../test/lab/folder.js';
import { addresses, Gateway } from '../test/lab/gateway.js';
import { ctrecorder as run, Tally } from '../test/lab/listing.js';
import { labObstacle } from '../test/lab/namespace.js';
import { ObservedProcess, recorderEntry } from '../test/lab/process.js';
import { rotate } from '../test/record/table/recording.js';

const SHOWN_LINES = 8;
const FILE_TEMPLATE = 'nat-%H%M%S.ct';
/** The bundled capture was made by this demo, so the same clients and public address are in it. */
const CAPTURE = fileURLToPath(new URL('../../test/fixtures/captures/demo.pcap', import.meta.url));
const { clients, public: publicAddress } = addresses[4];
const person = clients[1];

const { values: flags } = parseArgs({ options: { 'save-capture': { type: 'string' } } });
const folder = makeFolder('demo');
process.on('uncaughtException', (error) => check(false, error.message.trimEnd()));

const obstacle = labObstacle();
say(`ctrecorder stands for: node ${path.relative('.', recorderEntry)}`);
const known = obstacle === undefined ? await recordTraffic() : replayCapture(obstacle);
const file = logFiles()[0];

say(
  `What did the client ${person} do? Times, S and E (start, end, + when answered), then the addresses before and after NAT:`,
);
const listing = ctrecorder('-Lf', file, '-i', person);

say('The same as connections, start and end joined, from the squeezed file:');
ctrecorder('-Sf', file, '-o', 'squeezed.ct');
ctrecorder('-Lf', 'squeezed.ct', '-i', person);

const port = publicPortOf(listing);
say(`And the abuse desk's question: who was ${publicAddress}:${port}?`);
const answer = ctrecorder('-Lf', 'squeezed.ct', '-i', publicAddress, '-p', port);
check(
  answer.includes(`src=${person}:`),
  `${publicAddress}:${port} was ${person}, and the log does not say so`,
);
say(`It was ${person}.`);

if (known !== undefined) checkComplete(known);

/** Traffic in the namespaces, recorded with one rotation. Answers every connection that was made. */
async function recordTraffic(): Promise<Connection[]> {
  say(`Building a network of namespaces: clients ${clients.join(' and ')}, a gateway that masquerades them`);
  say(`behind ${publicAddress} and forwards its port 8080 to the first client, and a server. IPv6 likewise.`);
  const lab = await Gateway.start();
  try {
    const options = ['-C', '-F', '-p', 'all', '-f', FILE_TEMPLATE];
    if (flags['save-capture']) options.push('--save-messages', path.resolve(flags['save-capture']));
    say('On the gateway, record every protocol in the foreground:');
    command(options);
    const recorder = await ObservedProcess.recorder(lab.gateway, options, { cwd: folder });
    await recorder.says(/recording to/);

    const connections: Connection[] = [];
    const traffic = async (what: string, made: Promise<Connection[]> | Connection[]) => {
      connections.push(...(await made));
      say(`  ${what}`);
    };
    say('Traffic:');
    await traffic(`200 web pages for ${clients[0]}`, lab.fetch(200));
    await traffic(`3 web pages for ${person}`, lab.fetch(3, { client: 1 }));
    await traffic(`1 UDP request of ${person}, answered`, lab.udpAnswered(1, { client: 1 }));
    await traffic(`1 UDP datagram of ${person} that nobody answers`, lab.udpUnanswered(1, { client: 1 }));
    await traffic(`1 ping of ${person}`, lab.ping(1, { client: 1 }));
    await lab.endAll();
    await recorded(recorder, connections.length);

    say('Rotate: kill -HUP, and go on in a new file');
    await rotate(recorder);
    await traffic('20 web pages over IPv6', lab.fetch(20, { family: 6 }));
    await traffic('5 pages from outside through the port forward', lab.fetchForwarded(5));
    await lab.endAll();
    say('Stop: kill -TERM');
    const { code, stderr } = await recorder.stop();
    check(code === 0, `the recorder ended with exit code ${code}: ${stderr}`);
    say(`The files: ${logFiles().join(', ')}`);
    return connections;
  } finally {
    lab.remove();
  }
}

/**
 * Wait until the recorder says that start and end of so many connections are durable: a rotation then parts
 * nothing.
 */
async function recorded(recorder: ObservedProcess, connections: number): Promise<void> {
  const asked = setInterval(() => recorder.signal('SIGUSR1'), 200);
  try {
    const durable = () => Number([...recorder.stderr.matchAll(/ (\d+) durable/g)].at(-1)?.[1] ?? 0);
    await recorder.until(() => durable() >= 2 * connections, `${2 * connections} durable events`);
  } finally {
    clearInterval(asked);
  }
}

function replayCapture(why: string): undefined {
  say(`No live recording here: ${why}. Replaying a capture of such a gateway instead:`);
  ctrecorder('-C', '--replay', CAPTURE, '-p', 'all', '-f', FILE_TEMPLATE);
}

/** Every connection of both files: exactly one start and one end each, nothing missing, nothing twice. */
function checkComplete(known: readonly Connection[]): void {
  const tally = new Tally();
  for (const name of logFiles()) tally.add(run(['-L', '-f', name], folder));
  const differences = tally.differences(known);
  check(differences.length === 0, `the files differ from what happened: ${differences.join('; ')}`);
  say(
    `Checked: all ${known.length} connections are in the files, each start and each end exactly once, with the NAT`,
  );
  say('addresses that the server really saw.');
}

/** Public port of the person's first TCP connection in a listing. */
function publicPortOf(listing: string): string {
  const line = listing
    .split('\n')
    .find((one) => one.includes(':80 src=') && one.includes(`dst=${publicAddress}:`));
  return /dst=[\d.]+:(\d+)(?: proto=\S+)?$/.exec(line ?? '')?.[1] ?? '';
}

function logFiles(): string[] {
  return visibleNames(folder)
    .filter((name) => name.startsWith('nat-'))
    .sort();
}

/** Show a command, run it, show the head of what it prints, and answer all of it. */
function ctrecorder(...args: string[]): string {
  command(args);
  const output = run(args, folder);
  const lines = output.split('\n').slice(0, -1);
  for (const line of lines.slice(0, SHOWN_LINES)) console.log(`    ${line}`);
  if (lines.length > SHOWN_LINES) console.log(`    ... and ${lines.length - SHOWN_LINES} more lines`);
  return output;
}

function command(args: readonly string[]): void {
  console.log(`  $ ctrecorder ${args.map(quoted).join(' ')}`);
}

/** As a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:,-]+$/.test(word) ? word : `'${word}'`;
}

function say(line: string): void {
  console.log(line);
}

function check(holds: boolean, otherwise: string): void {
  if (holds) return;
  console.error(`demo: ${otherwise}`);
  process.exit(1);
}
