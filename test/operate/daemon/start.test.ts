import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { test } from 'node:test';
import { start } from '../../../src/operate/daemon/start.js';
import { defaultRecorderOptions } from '../../../src/record/main/options.js';
import { StubProgram, signal, skipWithoutRoot, until } from './stub-program.js';
import { assertReduced, threadsOf } from './threads.js';

const NOBODY = 65534;
async function withProgram(use: (program: StubProgram) => Promise<void>): Promise<void> {
  const program = new StubProgram();
  try {
    await use(program);
  } finally {
    program.close();
  }
}

function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
}

test(
  'the background: launcher answers, recorder lives on with reduced rights',
  { skip: skipWithoutRoot },
  () =>
    withProgram(async (program) => {
      chownSync(program.directory, NOBODY, NOBODY);
      chmodSync(program.directory, 0o755);
      const leak = openSync(program.path('leak'), 'w');
      const progress = openSync(program.path('progress'), 'w');
      const { code, stdout, stderr } = await program.run(
        {
          recorder: { fileTemplate: 'nat.ct', user: 'nobody', nice: -2, progressFd: 4 },
          foreground: false,
          pidFile: 'pid',
        },
        // behind the first descriptors, which libuv marks itself
        [leak, progress, ...Array<'ignore'>(20).fill('ignore'), leak],
      );
      closeSync(leak);
      closeSync(progress);
      assert.equal(stderr, '');
      assert.equal(code, 0);
      const pid = Number(/^recording to nat\.ct in the background, process (\d+)\n$/.exec(stdout)?.[1]);
      assert.equal(program.read('pid'), `${pid}\n`);
      assert.equal(program.read('progress'), '{"events":0}\n');
      assertReduced(pid, NOBODY, String(NOBODY), 1);
      for (const thread of threadsOf(pid)) assert.equal(thread.nice, '-2');
      assert.equal(readlinkSync(`/proc/${pid}/cwd`), program.directory);
      const files = openFiles(pid);
      assert.ok(files.includes(program.path('progress')));
      assert.ok(!files.includes(program.path('leak')), 'an inherited descriptor');
      assert.ok(!files.some((file) => file.startsWith('socket:')), 'the channel to the launcher');
      const session = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ')[3];
      assert.equal(Number(session), pid);

      signal(pid, 'SIGUSR1');
      await until(() => program.read('nat.ct').endsWith('flush\n'));
      signal(pid, 'SIGUSR2');
      signal(pid, 'SIGHUP');
      await until(() => program.read('nat.ct').endsWith('rotate\n'));
      signal(pid, 'SIGTERM');
      await until(() => !signal(pid, 0));
      assert.equal(program.read('nat.ct'), 'open\nflush\nrotate\nstop\n');
      assert.ok(!existsSync(program.path('pid')));
    }),
);

test('the foreground: the same process, every thread limited', { skip: skipWithoutRoot }, () =>
  withProgram(async (program) => {
    chownSync(program.directory, NOBODY, NOBODY);
    const leak = openSync(program.path('leak'), 'w');
    const child = program.start(
      {
        recorder: { fileTemplate: 'nat.ct', user: String(NOBODY), nice: -2 },
        foreground: true,
        pidFile: 'pid',
      },
      [leak, ...Array<'ignore'>(20).fill('ignore'), leak],
    );
    closeSync(leak);
    await until(() => existsSync(program.path('nat.ct')), child);
    const pid = child.pid!;
    assert.equal(program.read('pid'), `${pid}\n`);
    assertReduced(pid, NOBODY, '', 1);
    for (const thread of threadsOf(pid)) assert.equal(thread.nice, '-2');
    assert.ok(!openFiles(pid).includes(program.path('leak')));
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0);
    assert.equal(program.read('nat.ct'), 'open\nstop\n');
  }),
);

test('without -U rights stay as they are', { skip: skipWithoutRoot }, () =>
  withProgram(async (program) => {
    const child = program.start({ recorder: { fileTemplate: 'nat.ct' }, foreground: true });
    await until(() => existsSync(program.path('nat.ct')), child);
    const own = threadsOf(process.pid)[0];
    for (const thread of threadsOf(child.pid!))
      for (const field of ['Uid', 'CapEff', 'CapBnd', 'NoNewPrivs']) assert.equal(thread[field], own[field]);
    child.kill('SIGQUIT');
    assert.deepEqual(await once(child, 'close'), [0, null]);
  }),
);

test('a directory that the user cannot write is said on the terminal', { skip: skipWithoutRoot }, () =>
  withProgram(async (program) => {
    chmodSync(program.directory, 0o755);
    const { code, stdout, stderr } = await program.run({
      recorder: { fileTemplate: 'nat.ct', user: 'nobody' },
      foreground: false,
      pidFile: 'pid',
    });
    assert.equal(stderr, 'ctrecorder: nat.ct: permission denied (EACCES)\n');
    assert.equal(stdout, '');
    assert.equal(code, 1);
    assert.ok(!existsSync(program.path('pid')));
  }),
);

test('a pid file that the user may not remove is left empty', { skip: skipWithoutRoot }, () =>
  withProgram(async (program) => {
    chmodSync(program.directory, 0o755);
    mkdirSync(program.path('logs'));
    chownSync(program.path('logs'), NOBODY, NOBODY);
    const settings = {
      recorder: { fileTemplate: 'logs/nat.ct', user: 'nobody' },
      foreground: false,
      pidFile: 'pid',
    };
    for (let round = 0; round < 2; round++) {
      const { code, stderr } = await program.run(settings);
      assert.equal(stderr, '');
      assert.equal(code, 0);
      const pid = Number(program.read('pid'));
      signal(pid, 'SIGTERM');
      await until(() => !signal(pid, 0));
      assert.equal(program.read('pid'), '');
    }
  }),
);

test('a recorder that dies at its start is said on the terminal', () =>
  withProgram(async (program) => {
    const { code, stderr } = await program.run({
      recorder: { fileTemplate: 'nat.ct' },
      foreground: false,
      crash: true,
    });
    assert.match(stderr, /^ctrecorder: the recorder ended while starting \(SIGKILL\)[^\n]*\n$/);
    assert.equal(code, 1);
  }));

test('a second one with the same pid file is refused', () =>
  withProgram(async (program) => {
    const settings = { recorder: { fileTemplate: 'nat.ct' }, foreground: false, pidFile: 'pid' };
    const first = await program.run(settings);
    assert.equal(first.code, 0);
    const pid = program.read('pid').trim();
    const second = await program.run(settings);
    assert.equal(second.code, 1);
    assert.match(
      second.stderr,
      new RegExp(`^ctrecorder: pid: a recorder is running already, process ${pid};`),
    );
    assert.equal(program.read('pid').trim(), pid);
    // killed, its file is stale
    signal(Number(pid), 'SIGKILL');
    await until(() => !signal(Number(pid), 0));
    const third = await program.run(settings);
    assert.equal(third.stderr, '');
    assert.equal(third.code, 0);
    assert.notEqual(program.read('pid').trim(), pid);
  }));

test('the pid file of another recorder is left alone, and that is said', () =>
  withProgram(async (program) => {
    const settings = (fileTemplate: string) => ({
      recorder: { fileTemplate },
      foreground: true,
      debug: true,
      pidFile: 'pid',
    });
    const first = program.start(settings('a.ct'));
    let stderr = '';
    first.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    await until(() => existsSync(program.path('a.ct')), first);
    rmSync(program.path('pid'));
    const second = program.start(settings('b.ct'));
    await until(() => existsSync(program.path('b.ct')), second);
    first.kill('SIGTERM');
    assert.deepEqual(await once(first, 'close'), [0, null]);
    assert.match(stderr, /"level":20,[^\n]*"msg":"pid: left alone,/);
    assert.equal(program.read('pid'), `${second.pid}\n`);
    const third = await program.run(settings('c.ct'));
    assert.match(
      third.stderr,
      new RegExp(`^ctrecorder: pid: a recorder is running already, process ${second.pid};`),
    );
    second.kill('SIGTERM');
    assert.deepEqual(await once(second, 'close'), [0, null]);
    assert.ok(!existsSync(program.path('pid')));
  }));

test('a start that fails before anything is recorded leaves no pid file', async () => {
  const program = new StubProgram();
  try {
    const pidFile = program.path('pid');
    const recorder = { ...defaultRecorderOptions, fileTemplate: 'nat.ct', replayFile: 'none.pcap' };
    const options = { recorder, foreground: true, debug: false, pidFile, say: () => {}, warn: () => {} };
    const broken = async () => {
      assert.ok(existsSync(pidFile));
      throw new Error('broken');
    };
    await assert.rejects(start(options, broken), /^Error: broken$/);
    assert.ok(!existsSync(pidFile));
  } finally {
    program.close();
  }
});

test('a second signal ends at once', () =>
  withProgram(async (program) => {
    const child = program.start({
      recorder: { fileTemplate: 'nat.ct' },
      foreground: true,
      stuck: true,
      pidFile: 'pid',
    });
    await until(() => existsSync(program.path('nat.ct')), child);
    child.kill('SIGTERM');
    await until(() => program.read('nat.ct').endsWith('stop\n'));
    child.kill('SIGINT');
    assert.deepEqual(await once(child, 'close'), [1, null]);
    assert.ok(!existsSync(program.path('pid')));
  }));

test('what was not saved is named, and the exit code is 1', () =>
  withProgram(async (program) => {
    const child = program.start({
      recorder: { fileTemplate: 'nat.ct' },
      foreground: true,
      unsaved: '7 events in blocks',
    });
    let stderr = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    await until(() => existsSync(program.path('nat.ct')), child);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'close'), [1, null]);
    const last = JSON.parse(stderr.trim().split('\n').at(-1)!) as { level: number; msg: string };
    assert.equal(last.level, 50);
    assert.match(last.msg, /7 events in blocks; 3 messages received, 3 events recorded, 0 lost/);
  }));
