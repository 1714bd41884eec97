/**
 * The built program recording from captures: names, rotation, end, and listings that say what the capture
 * says.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { program } from '../cli/command-line.js';
import { temporaryDirectory } from '../lab/folder.js';
import { Gateway } from '../lab/gateway.js';
import { labObstacle } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';
import { type CapturedEvent, capturedEvents } from '../record/replay/capture-listing.js';
import {
  captureFile,
  cooked,
  messages,
  packetsOf,
  pcap,
  pcapng,
  type TestPacket,
} from '../record/replay/captures.js';
import { installWithoutOptional } from '../record/replay/installed.js';
import {
  assertEndedWell,
  demo,
  FATAL,
  linesIn,
  linesOf,
  logged,
  type RunOptions,
  record,
  run,
  UTC,
} from '../record/replay/program.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
const NOBODY = 65534;

/** The files that a rotation every minute makes of events: name and lines of each. */
function rotated(events: readonly CapturedEvent[], packets: readonly TestPacket[]): [string, string[]][] {
  const files: [string, string[]][] = [];
  let boundaryUs = 0;
  for (const [i, { line }] of events.entries()) {
    const { timeUs } = packets[i];
    if (timeUs >= boundaryUs) {
      const [hms] = new Date(timeUs / 1000).toISOString().slice(11).split('.');
      files.push([`x-${hms.replaceAll(':', '')}.ct`, []]);
      boundaryUs = (Math.floor(timeUs / 60e6) + 1) * 60e6;
    }
    files.at(-1)![1].push(line);
  }
  return files;
}

describe('a replay by the program', () => {
  it('of a real capture ends by itself with a summary, and lists what the capture holds', async (context) => {
    const folder = temporaryDirectory(context);
    const events = await capturedEvents(readFileSync(demo));
    assert.equal(events.length, 462);
    assertEndedWell(record(demo, folder, '-t', '1'), events.length);
    assert.deepEqual(readdirSync(folder), ['x-091901.ct']);
    assert.deepEqual(
      linesIn(folder),
      events.map(({ line }) => line),
    );
    assert.equal(run(['-T', join(folder, 'x-091901.ct')]).code, 0);
  });

  it('names and rotates files by the time of the messages', async (context) => {
    const folder = temporaryDirectory(context);
    const [first, ...others] = packetsOf(messages(3000));
    const slower = ({ timeUs, bytes }: TestPacket) => ({
      timeUs: first.timeUs + 8 * (timeUs - first.timeUs),
      bytes,
    });
    const packets = [first, ...others.map(slower)];
    const capture = pcap(packets);
    const expected = rotated(await capturedEvents(capture), packets);
    assert.ok(expected.length >= 4);
    assertEndedWell(record(captureFile(context, capture), folder, '-t', '1'), packets.length);
    assert.deepEqual(readdirSync(folder).sort(), expected.map(([name]) => name).sort());
    for (const [name, lines] of expected) assert.deepEqual(linesOf(join(folder, name)), lines);
    const check = run(['-T', ...expected.map(([name]) => join(folder, name))]);
    assert.equal(check.code, 0, check.stdout);
  });

  it('counts a copy for each listener once, unless it is told to keep them', async (context) => {
    const packets = packetsOf(messages(500));
    const lines = (await capturedEvents(pcap(packets))).map(({ line }) => line);
    const capture = captureFile(context, pcapng(packets.flatMap((one) => [one, one])));
    const [once, twice] = [temporaryDirectory(context), temporaryDirectory(context)];
    assertEndedWell(record(capture, once), packets.length);
    assert.deepEqual(linesIn(once), lines);
    assertEndedWell(record(capture, twice, '--keep-duplicates'), 2 * packets.length);
    assert.deepEqual(
      linesIn(twice),
      lines.flatMap((line) => [line, line]),
    );
  });

  it('marks a message that is longer than a slot as partly read', async (context) => {
    const folder = temporaryDirectory(context);
    const [{ timeUs, bytes }] = messages(1);
    const long = Buffer.concat([bytes, Buffer.alloc(1000)]);
    long.writeUInt32LE(long.length, 0);
    long.writeUInt16LE(1000, bytes.length);
    const whole = pcap([{ timeUs, bytes: cooked(bytes) }]);
    const capture = captureFile(context, pcap([{ timeUs, bytes: cooked(long) }]));
    const ended = record(capture, folder);
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stderr, /done: 1 messages received, 1 events recorded, .*, 1 only partly readable, /);
    assert.deepEqual(
      linesIn(folder),
      (await capturedEvents(whole)).map(({ line }) => line),
    );
    const json = run(['-L', '--json', '-f', join(folder, readdirSync(folder)[0])]).stdout;
    assert.equal((JSON.parse(json) as { partial?: boolean }).partial, true);
  });
});

describe('a replay from standard input', () => {
  for (const name of ['-', '/dev/stdin'])
    it(`records what comes through it: ${name}`, async (context) => {
      const folder = temporaryDirectory(context);
      const args = ['-C', '--replay', name, '-p', 'all', '-f', join(folder, 'x.ct')];
      const input = readFileSync(demo);
      assertEndedWell(run(args, { input }), 462);
      assert.deepEqual(
        linesIn(folder),
        (await capturedEvents(input)).map(({ line }) => line),
      );
    });

  it('has every message at once, and stops when it is told to, however silent it is', async (context) => {
    const folder = temporaryDirectory(context);
    const all = messages(300);
    const child = spawn(
      process.execPath,
      [program, '-CFf', join(folder, 'x.ct'), '-p', 'all', '--replay', '-'],
      {
        env: UTC,
        stdio: ['pipe', 'ignore', 'pipe'],
      },
    );
    context.after(() => child.kill('SIGKILL'));
    let stderr = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ended = once(child, 'close');
    child.stdin!.write(pcap(packetsOf(all)));
    while (!/statistics: 300 received/.test(stderr)) {
      assert.equal(child.exitCode, null, stderr);
      // Before the program has its handlers the signal would end it; they are there when the first file is.
      if (/recording to/.test(stderr)) child.kill('SIGUSR1');
      await sleep(20);
    }
    child.kill('SIGTERM');
    const [code] = await ended;
    assert.equal(code, 0, stderr);
    assert.match(logged(stderr).at(-1)!, /^done: 300 messages received, 300 events recorded/);
    assert.equal(linesIn(folder).length, 300);
  });

  it('that is no capture is one line, and leaves no file', (context) => {
    const folder = temporaryDirectory(context);
    const args = ['-C', '--replay', '-', '-f', join(folder, 'x.ct')];
    const { code, stderr } = run(args, { input: 'this is a text and not a capture at all' });
    assert.equal(code, 1);
    assert.deepEqual(logged(stderr), ['-: is neither pcap nor pcapng']);
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('a replay of what cannot be replayed', () => {
  const whole = readFileSync(demo);

  function assertRefused(context: TestContext, capture: string, what: RegExp): void {
    const folder = temporaryDirectory(context);
    const { code, stdout, stderr } = record(capture, folder);
    assert.equal(code, 1, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, /^ctrecorder: [^\n]+\n$/);
    assert.match(stderr, what);
    assert.ok(stderr.startsWith(`ctrecorder: ${capture}: `), stderr);
    assert.deepEqual(readdirSync(folder), [], 'no file is made');
  }

  it('is one line: another link type', (context) => {
    const ethernet = Buffer.from(whole);
    ethernet.writeUInt32LE(1, 20);
    assertRefused(
      context,
      captureFile(context, ethernet),
      /link type 1, not 253 \(capture on an nlmon interface\)/,
    );
  });

  it('is one line: an empty file', (context) => {
    assertRefused(context, captureFile(context, new Uint8Array(0)), /too short for a capture/);
  });

  it('is one line: a directory', (context) => {
    assertRefused(context, temporaryDirectory(context), /is a directory/);
  });

  it('is one line: a file that is not there', (context) => {
    assertRefused(context, join(temporaryDirectory(context), 'missing.pcap'), /no such file/);
  });

  it('is one line: a text', (context) => {
    assertRefused(
      context,
      captureFile(context, Buffer.from('no capture at all, '.repeat(10))),
      /neither pcap/,
    );
  });

  it('says so of a capture that is cut, when all before it is recorded', async (context) => {
    const folder = temporaryDirectory(context);
    const capture = captureFile(context, whole.subarray(0, -5));
    const { code, stderr } = record(capture, folder);
    assert.equal(code, 1, stderr);
    const [fatal, ...others] = logged(stderr, FATAL);
    assert.ok(
      fatal.startsWith(`${capture}: offset `) && fatal.endsWith(': is cut off within a packet'),
      fatal,
    );
    assert.deepEqual(others, []);
    const lines = (await capturedEvents(whole)).map(({ line }) => line);
    assert.deepEqual(linesIn(folder), lines.slice(0, -1));
  });

  it('says so of a folder that cannot be written', { skip: process.platform !== 'linux' }, (context) => {
    const folder = temporaryDirectory(context);
    const { code, stderr } = run(['-C', '--replay', demo, '-f', '/dev/null/x.ct']);
    assert.equal(code, 1);
    // Whoever notices first says it: the start on standard error, or the writer in the log.
    const said = stderr.startsWith('{') ? logged(stderr) : stderr.trimEnd().split('\n');
    assert.equal(said.length, 1, stderr);
    assert.match(said[0], /^(ctrecorder:|[a-z]+) \/dev\/null\S*: not a directory \(ENOTDIR\)$/);
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('a replay without koffi, by a user without rights', () => {
  it('records and is listed all the same', async (context) => {
    const folder = temporaryDirectory(context);
    const entry = installWithoutOptional(folder);
    const logs = join(folder, 'logs');
    mkdirSync(logs);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(logs, NOBODY, NOBODY);
    const as: RunOptions = {
      entry,
      cwd: logs,
      ...(isRoot && { uid: NOBODY, gid: NOBODY }),
    };
    const capture = captureFile(context, readFileSync(demo));
    chmodSync(join(capture, '..'), 0o755);

    const version = run(['-V'], as);
    assert.match(version.stdout, /koffi cannot be loaded/);
    assertEndedWell(run(['-C', '--replay', capture, '-p', 'all', '-t', '1', '-f', 'x-%H%M%S.ct'], as), 462);
    assert.deepEqual(readdirSync(logs), ['x-091901.ct']);
    if (isRoot) assert.equal(statSync(join(logs, 'x-091901.ct')).uid, NOBODY);
    const listed = run(['-L', '-H', '-f', 'x-091901.ct'], as);
    assert.deepEqual(
      listed.stdout.split('\n').slice(0, -1),
      (await capturedEvents(readFileSync(demo))).map(({ line }) => line),
    );
    // The name is taken now: nothing is overwritten, also without the system call for it.
    const again = run(['-C', '--replay', capture, '-p', 'all', '-f', 'x-%H%M%S.ct'], as);
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(readdirSync(logs).sort(), ['x-091901.1.ct', 'x-091901.ct']);

    const live = run(['-CF', '-f', 'y.ct'], as);
    assert.equal(live.code, 1);
    assert.match(live.stderr, /^ctrecorder: [^\n]*koffi cannot be loaded[^\n]*\n$/);
  });
});

describe('the messages of a real gateway, saved and replayed', { skip }, () => {
  for (const timestamp of [1, 0] as const)
    it(`list as the recording itself: nf_conntrack_timestamp=${timestamp}`, async (context) => {
      const folder = temporaryDirectory(context);
      const lab = await Gateway.start({ acct: 1, timestamp });
      try {
        const recorder = await ObservedProcess.recorder(
          lab.gateway,
          ['-CF', '-p', 'all', '-f', 'live-%s.ct', '--save-messages', 'messages.pcap'],
          { cwd: folder, env: UTC },
        );
        await recorder.says(/recording to/);
        const made = [
          ...(await lab.fetch(60)),
          ...(await lab.fetch(20, { family: 6 })),
          ...(await lab.fetchForwarded(5)),
          ...(await lab.udpAnswered(10, { client: 1 })),
          ...(await lab.udpUnanswered(10, { family: 6 })),
          ...lab.ping(2),
          ...lab.ping(2, { family: 6 }),
        ];
        await lab.endAll();
        const { code, stderr } = await recorder.stop();
        assert.equal(code, 0, stderr);
        const live = readdirSync(folder).filter((name) => name.startsWith('live'));
        assert.equal(live.length, 1);
        const lines = linesOf(join(folder, live[0]));
        assert.equal(lines.length, 2 * made.length);

        const capture = join(folder, 'messages.pcap');
        const again = join(folder, 'again.ct');
        assertEndedWell(run(['-C', '-p', 'all', '-f', again, '--replay', capture]), lines.length);
        assert.deepEqual(linesOf(again), lines);
        const events = await capturedEvents(readFileSync(capture));
        assert.deepEqual(
          events.map(({ line }) => line),
          lines,
        );
      } finally {
        lab.remove();
      }
    });
});
