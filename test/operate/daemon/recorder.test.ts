/** The built program in the background, with the real recorder, in a network namespace of its own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { program } from '../../cli/command-line.js';
import { onExit } from '../../lab/cleanup.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';
import { signal, skipWithoutRoot, until } from './stub-program.js';
import { assertReduced } from './threads.js';

const NOBODY = 65534;

function capture(directory: string, ...args: string[]) {
  return spawnSync('unshare', ['--net', process.execPath, program, '-C', ...args], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 60_000,
  });
}

test('ctrecorder -C: answers, goes to the background with reduced rights, stops', {
  skip: skipWithoutRoot,
}, async () => {
  const directory = makeFolder('real');
  let pid = 0;
  const end = () => pid > 0 && signal(pid, 'SIGKILL');
  const forget = onExit(end);
  try {
    chownSync(directory, NOBODY, NOBODY);
    chmodSync(directory, 0o755);
    const { status, stdout, stderr } = capture(
      directory,
      '-f',
      'nat.ct',
      '-U',
      'nobody',
      '-P',
      'pid',
      '-p',
      'all',
    );
    assert.equal(status, 0, stderr);
    pid = Number(readFileSync(join(directory, 'pid'), 'utf8'));
    assert.match(
      stdout,
      new RegExp(`^ctrecorder: recording to \\S*nat\\.ct\\.part in the background, process ${pid}\n$`),
    );
    // a new namespace has the kernel's defaults, which are worth a warning on the terminal
    assert.match(stderr, /^ctrecorder: net\.netfilter\.nf_conntrack_timestamp is not 1/);
    // The table worker is made after the switch: a dump needs the right on its own thread.
    assertReduced(pid, NOBODY, String(NOBODY), 1);
    assert.equal(statSync(join(directory, 'nat.ct.part')).uid, NOBODY);
    const second = capture(directory, '-f', 'other.ct', '-P', 'pid');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /^ctrecorder: pid: a recorder is running already, process \d+;[^\n]*\n$/);
    signal(pid, 'SIGTERM');
    await until(() => !signal(pid, 0));
    assert.ok(existsSync(join(directory, 'nat.ct')));
    assert.ok(!existsSync(join(directory, 'pid')));
  } finally {
    forget();
    end();
    removeFolder(directory);
  }
});

test('ctrecorder -C: what keeps it from recording is one line and exit code 1', {
  skip: skipWithoutRoot,
}, () => {
  const directory = makeFolder('real');
  try {
    for (const mode of ['-F', '-P']) {
      const args = mode === '-P' ? ['-P', 'pid'] : ['-F'];
      const { status, stdout, stderr } = capture(directory, '-f', 'nat.ct', '-U', 'nobody', ...args);
      assert.equal(status, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /^ctrecorder: [^\n]*nat\.ct[^\n]*\n/m);
      assert.match(stderr, /permission denied|EACCES/);
      assert.doesNotMatch(stderr, /\n +at /);
      assert.ok(!existsSync(join(directory, 'pid')));
    }
  } finally {
    removeFolder(directory);
  }
});
