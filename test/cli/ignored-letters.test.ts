/** The note on ignored letters is printed once, however often the program starts itself again. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { skipWithoutRoot } from '../operate/daemon/stub-program.js';
import { program } from './command-line.js';

const starts: readonly [what: string, args: readonly string[]][] = [
  ['in the foreground, again in its own place with fewer rights', ['-CF', '-U', 'nobody']],
  ['in the background, whose standard error is a file', ['-C']],
];

for (const [what, args] of starts)
  test(what, { skip: skipWithoutRoot }, () => {
    const folder = makeFolder('ignored');
    try {
      const stderrFile = join(folder, 'stderr');
      // No directory can be made there, so that it ends when it would begin to record.
      const line = [process.execPath, program, ...args, '-i', '192.0.2.1', '-f', '/proc/nosuch/nat.ct'];
      const script = `exec unshare --net "$@" 2> "$0"`;
      const { status } = spawnSync('bash', ['-c', script, stderrFile, ...line], { timeout: 60_000 });
      const stderr = readFileSync(stderrFile, 'utf8');
      assert.equal(status, 1, stderr);
      assert.match(stderr, /^ctrecorder: .*\/proc\/nosuch/m);
      assert.equal(stderr.match(/^ctrecorder: -C ignores options of other modes: -i \(-L\)$/gm)?.length, 1);
    } finally {
      removeFolder(folder);
    }
  });
