/**
 * Nothing that stands in a file, nor its name, nor an argument steers the terminal of who runs a command:
 * each of them, given all three. A command without a row in the table fails.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { printable } from '../../src/base/printable.js';
import { Column } from '../../src/event/batch.js';
import { LogFileWriter } from '../../src/log/write/whole-file.js';
import { batchOf } from '../find/helpers.js';
import { endWithUs, onExit } from '../lab/cleanup.js';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { labObstacle, type Namespace, withNamespaces } from '../lab/namespace.js';
import { repositoryPath } from '../lab/repository.js';
import { program } from './command-line.js';

const TIME = 1_795_409_443_000_000;
/**
 * Clear the screen, set the title, color, by escape sequences of 7 and 8 bits; override and isolate of the
 * writing direction; no width; line ends of all kinds, and what looks like a line of the listing.
 */
const HOSTILE =
  '\u001b[2J\u001b]0;title\u0007\u009b31m\u202e\u2066\u200b\u2028\u2029\u0085\u007f\t\r\n# gap forged';
const SHOWN = printable(HOSTILE);
/** Messages make one space of line ends. */
const SHOWN_START = '?[2J?]0;title??31m??';
/** What a name on Linux may also hold: bytes that are not UTF-8, a C1 escape among them. */
const INVALID = Buffer.from('invalid\x1b[2J\x9b31m\xff\xc3\n.ct', 'latin1');
/** Of Latin-1, as a log keeps it. */
const HELPER = '\u001b[2J\u009b\n';
const STEERING = /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u;
const HANG_MS = 60_000;

const labSkip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
const isLinux = process.platform === 'linux';

const root = makeFolder('terminal');
after(() => removeFolder(root));
const folder = join(root, HOSTILE);
mkdirSync(folder);
const inFolder = (name: string) => join(folder, name);
/** A log of format 3 in which every text is hostile, and what happens to logs. */
const sound = inFolder(`${HOSTILE}.ct`);
const copy = inFolder('copy.ct');
const damaged = inFolder(`damaged${HOSTILE}.ct`);
const headless = inFolder(`headless${HOSTILE}.ct`);
const live = inFolder(`live${HOSTILE}.ct`);
const old = inFolder(`old${HOSTILE}.ct`);
const foreign = inFolder(`foreign${HOSTILE}.ct`);
const missing = inFolder(`missing${HOSTILE}.ct`);
const invalid = Buffer.concat([Buffer.from(`${folder}/`), INVALID]);
makeFiles();
const everyFile = [sound, copy, damaged, headless, live, old, foreign, missing, folder, invalid];

function makeFiles(): void {
  const writer = LogFileWriter.create(sound, {
    recorder: HOSTILE,
    hostname: HOSTILE,
    bootId: HOSTILE,
    runId: '0123456789abcdef',
    openedUs: TIME,
    timeZone: HOSTILE,
    minutesWest: 0,
    dst: 0,
    utcOffsetSeconds: 0,
    protocols: 'all',
    template: HOSTILE,
    squeezed: false,
    previous: { file: HOSTILE, acknowledgedBytes: 1, chain: '00'.repeat(32) },
    origin: { file: HOSTILE, firstChain: '00'.repeat(32), lastChain: '00'.repeat(32) },
  });
  const batch = batchOf([{ timeUs: TIME }, { timeUs: TIME, zone: 7 }]);
  batch.present |= Column.helper;
  batch.helpers.push(HELPER);
  batch.helper[0] = 1;
  writer.append(batch);
  writer.appendGap({ fromUs: TIME, toUs: TIME, lost: 1, certainty: 'exact', cause: HOSTILE });
  writer.close();
  const bytes = readFileSync(sound);
  writeFileSync(copy, bytes);
  writeFileSync(`${live}.part`, bytes);
  writeFileSync(invalid, bytes);
  writeFileSync(damaged, Buffer.concat([bytes.subarray(0, -300), Buffer.from(HOSTILE.repeat(9))]));
  writeFileSync(headless, Buffer.concat([bytes.subarray(0, 60), Buffer.from(HOSTILE.repeat(90))]));
  writeFileSync(foreign, HOSTILE.repeat(100));
  const format2 = readFileSync(repositoryPath('test/fixtures/legacy/legacy-tcp.ct'));
  format2.write(HOSTILE, 19, 33, 'utf8');
  writeFileSync(old, format2.subarray(0, -5));
}

type Arguments = readonly (string | Buffer)[];
interface Run {
  readonly args: Arguments;
  readonly env?: NodeJS.ProcessEnv;
  /** Its streams are a terminal, which is then one stream. */
  readonly onTerminal?: true;
}
const run = (...args: Arguments): Run => ({ args });
const runsOn = (files: Arguments, ...args: Arguments): Run[] => files.map((file) => run(...args, file));

const demo = repositoryPath('test/fixtures/captures/demo.pcap');
let replays = 0;
/** A new name each time: a recorder never writes to a file that is there. */
function replay(...more: Arguments): Run {
  const template = inFolder(`${replays++}%H${HOSTILE}.ct`);
  return run('capture', '-p', 'all', '-f', template, '--replay', demo, ...more);
}

let outputs = 0;
const newOutput = () => inFolder(`new${outputs++}${HOSTILE}`);

/** By command: its file in src/cli/commands, or what run.ts answers itself. */
const table: Readonly<Record<string, readonly Run[]>> = {
  capture: [
    replay('--log-format', 'pretty', '--debug'),
    replay('--log-format', 'json', '--debug'),
    { ...replay(), onTerminal: true },
    replay('--keep-bytes', '1', '--hold', HOSTILE),
    { ...replay('-f', inFolder(`%Z${HOSTILE}.ct`)), env: { TZ: HOSTILE } },
    { ...replay('-f', inFolder('%Z.ct')), env: { TZ: '<\u001b[2J>0' } },
    run('capture', '-f', Buffer.concat([invalid, Buffer.from('%H')]), '--replay', demo),
    ...[missing, foreign].flatMap((file) => [
      run('capture', '-f', newOutput(), '--replay', file, '--log-format', 'pretty'),
      { ...run('capture', '-f', newOutput(), '--replay', file), onTerminal: true as const },
    ]),
    run('capture', '-f', join(foreign, 'x.ct'), '--replay', demo),
    replay('-P', join(foreign, 'pid')),
    replay('--save-messages', foreign),
    run('capture', '-F', '-f', newOutput(), '-U', HOSTILE),
    run('capture', '-F', '-f', newOutput(), '-G', HOSTILE),
    run('capture', HOSTILE),
  ],
  list: [
    ...runsOn(everyFile, 'list', '--show-gaps', '--show-snapshots', '-f'),
    ...runsOn([sound, damaged, missing], 'list', '--json', '--show-gaps', '-f'),
    ...runsOn([sound, damaged, old], 'list', '-s', '-f'),
    run('list', '--debug', '-f', foreign),
    { ...run('list', '-f', sound), env: { TZ: HOSTILE } },
    run('list', HOSTILE),
  ],
  test: [run('test', ...everyFile), run('test', copy, sound), run('test', '--debug', foreign)],
  squeeze: [
    ...[sound, damaged, live, old, foreign, missing].map((file) =>
      run('squeeze', '-f', file, '-o', newOutput()),
    ),
    run('squeeze', '-f', sound, '-o', sound),
    run('squeeze', '-f', sound, '-o', invalid),
    run('squeeze', '-f', damaged),
    run('squeeze', '-f', copy),
    run('squeeze', '-f', copy),
  ],
  header: [...runsOn(everyFile, 'header', '-f'), run('header', HOSTILE)],
  stats: [run('stats', ...everyFile), run('stats', '--json', ...everyFile), run('stats', '--debug', foreign)],
  repair: [
    ...[sound, damaged, headless, old, invalid].map((file) => run('repair', file, '-o', newOutput())),
    run('repair', damaged, '-o', sound),
    run('repair', damaged, HOSTILE),
  ],
  tune: [run('tune', HOSTILE), run('tune', '--for', HOSTILE, '--debug')],
  help: [run('help'), run('help', `--${HOSTILE}`), run('help', '-h', HOSTILE)],
  version: [run('version'), run('version', `--${HOSTILE}`)],
};
const commands = readdirSync(repositoryPath('src/cli/commands')).map((name) => basename(name, '.ts'));

/** Any bytes as one word of bash: Node itself passes nothing but text. */
function word(argument: string | Buffer): string {
  const bytes = Buffer.from(argument).toString('latin1');
  const escaped = bytes.replace(
    /[^\w/.%=,-]/g,
    (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `$'${escaped}'`;
}

interface Streams {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function streamsOf({ args, env, onTerminal }: Run, namespace?: Namespace): Promise<Streams> {
  const command = `exec ${[process.execPath, program, ...args].map(word).join(' ')}`;
  const options = { cwd: root, env: { ...process.env, TZ: 'UTC', ...env }, timeout: HANG_MS };
  const bash = onTerminal
    ? ['script', '-qefc', `bash -c ${word(command)}`, '/dev/null']
    : ['bash', '-c', command];
  const inNamespace = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace.name];
  const [file, ...rest] = [...inNamespace, ...bash];
  const child = spawn(file, rest, {
    ...options,
    env: { ...options.env, SHELL: '/bin/bash' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  endWithUs(child);
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return () => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: stdout(), stderr: stderr() };
}

/** What it printed, once each stream was found harmless. */
async function printedBy(run: Run, namespace?: Namespace): Promise<string> {
  const { code, stdout, stderr } = await streamsOf(run, namespace);
  const told = JSON.stringify(run.args.map(String));
  for (const stream of [stdout, run.onTerminal ? '' : stderr]) {
    // The terminal's own line ends, and the colors of the log.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the beginning of a color
    const text = run.onTerminal ? stream.replace(/\r\n/g, '\n').replace(/\u001b\[\d+m/g, '') : stream;
    const found = STEERING.exec(text);
    assert.equal(found && text.slice(Math.max(0, found.index - 60), found.index + 20), null, told);
    assert.doesNotMatch(text, /^# gap forged/m, told);
    assert.doesNotMatch(text, /internal error/, told);
  }
  assert.ok([0, 1, 2].includes(code!), `${told}: ${code}`);
  assert.ok(stdout.length + stderr.length > 0, told);
  return stdout + stderr;
}

const skip = isLinux ? false : 'bash and such names are needed';

test('every command has its rows, and every row its command', { skip }, () => {
  assert.deepEqual(Object.keys(table).sort(), [...commands].sort());
});

for (const [command, runs] of Object.entries(table))
  test(`${command}: ${runs.length} times`, { skip }, async () => {
    const printed: string[] = [];
    for (const run of runs) printed.push(await printedBy(run));
    assert.ok(printed.join('').includes(SHOWN_START), 'the name was printed, and its characters are visible');
  });

test('hostile values of every option, as their help names them', { skip }, async () => {
  let options = 0;
  for (const command of commands) {
    const { stdout } = await streamsOf(run(command, '-h'));
    for (const [, option] of stdout.matchAll(/^ +(?:-\w, +)?--([\w-]+) [A-Z]/gm)) {
      options++;
      const more = command === 'capture' ? replay().args.slice(1) : [];
      await printedBy(run(command, ...more, `--${option}=${HOSTILE}`));
    }
  }
  assert.ok(options > 20);
});

test('what is no command', { skip }, async () => {
  for (const args of [[HOSTILE], [`-${HOSTILE}`], [`--${HOSTILE}`], [`-L${HOSTILE}`], [invalid]])
    assert.match(await printedBy(run(...args)), /^ctrecorder: /);
});

test('JSON escapes what lines replace, and loses nothing', { skip }, async () => {
  const { stdout } = await streamsOf(run('list', '--json', '--show-gaps', '-f', sound));
  const [first, , gap] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual([first.file, first.helper], [sound, HELPER]);
  assert.deepEqual([gap.file, gap.cause], [sound, SHOWN]);
  const stats = await streamsOf(run('stats', '--json', sound));
  assert.equal(JSON.parse(stats.stdout).file, sound);
});

test('the log on a terminal has its own colors and no others', { skip }, async () => {
  const { stdout } = await streamsOf({ ...replay(), onTerminal: true });
  assert.ok(stdout.includes('\u001b[32mINFO\u001b[39m'));
  assert.ok(stdout.includes(`${SHOWN}.ct`));
});

describe('on a kernel', { skip: labSkip }, () => {
  test('tune', async () => {
    await withNamespaces(['terminal'], async (namespace) => {
      for (const more of [[], ['--json']]) await printedBy(run('tune', '--for', '200ms', ...more), namespace);
    });
  });

  test('capture: the launcher says where it records, why it cannot, and what its recorder warned of', async () => {
    await withNamespaces(['terminal'], async (namespace) => {
      const pidFile = inFolder(`pid${HOSTILE}`);
      const template = inFolder(`background${HOSTILE}.ct`);
      const refused = await printedBy(run('capture', '-f', join(foreign, 'x.ct')), namespace);
      assert.ok(refused.includes(SHOWN_START), refused);
      const started = await printedBy(run('capture', '-f', template, '-P', pidFile), namespace);
      const pid = Number(readFileSync(pidFile, 'utf8'));
      const forget = onExit(() => process.kill(pid, 'SIGKILL'));
      try {
        assert.ok(started.includes(`recording to ${folder.replace(HOSTILE, SHOWN)}/background${SHOWN}`));
        const again = await printedBy(run('capture', '-f', template, '-P', pidFile), namespace);
        assert.ok(again.includes(SHOWN_START), again);
      } finally {
        process.kill(pid, 'SIGTERM');
        while (existsSync(`/proc/${pid}`) && existsSync(pidFile)) await sleep(20);
        forget();
      }
    });
  });
});
