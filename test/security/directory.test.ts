/**
 * What somebody who may write in the log directory puts in the way of the recorder and of the commands that
 * make files.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ctrecorder } from '../cli/command-line.js';
import { temporaryDirectory } from '../lab/folder.js';

const skip = process.platform === 'win32' ? 'no links and pipes to leave there' : false;
const capture = 'test/fixtures/captures/demo.pcap';
const PRECIOUS = 'precious\n';

const obstacles: Readonly<Record<string, (path: string, victim: string) => void>> = {
  'a link to a file': (path, victim) => symlinkSync(victim, path),
  'a link to nowhere': (path) => symlinkSync(`${path}.nowhere`, path),
  'a pipe': (path) => execFileSync('mkfifo', [path]),
  'a directory': (path) => mkdirSync(path),
  'a file': (path) => writeFileSync(path, PRECIOUS),
};

/**
 * The directory with the obstacle in it; `assertLeft` afterwards: it is as it was, and nothing was written
 * through it.
 */
function obstructed(t: TestContext, obstacle: string, name: string) {
  const directory = temporaryDirectory(t);
  const victim = join(temporaryDirectory(t), 'victim');
  writeFileSync(victim, PRECIOUS);
  const path = join(directory, name);
  obstacles[obstacle](path, victim);
  const before = lstatSync(path);
  return {
    directory,
    assertLeft() {
      const { ino, size, mtimeMs, mode } = lstatSync(path);
      assert.deepEqual([ino, size, mtimeMs, mode], [before.ino, before.size, before.mtimeMs, before.mode]);
      assert.equal(readFileSync(victim, 'utf8'), PRECIOUS);
      assert.ok(!readdirSync(directory).some((other) => other.endsWith('.nowhere')));
    },
  };
}

for (const obstacle of Object.keys(obstacles)) {
  for (const name of ['nat.ct', 'nat.ct.part'])
    test(`recording with ${obstacle} at ${name}: never through it`, { skip }, (t) => {
      const { directory, assertLeft } = obstructed(t, obstacle, name);
      const file = join(directory, 'nat.ct');
      const { code, stderr } = ctrecorder(['-C', '-F', '-f', file, '-p', 'all', '--replay', capture]);
      assertLeft();
      if (obstacle === 'a directory' && name === 'nat.ct') {
        assert.match(stderr, /nat\.ct: is a directory; add a file name\n$/);
        return;
      }
      assert.equal(code, 0, stderr);
      assert.notEqual(ctrecorder(['-LHf', join(directory, 'nat.1.ct')]).stdout, '');
    });

  test(`what cannot be numbered is refused with ${obstacle} at its name`, { skip }, (t) => {
    const { directory, assertLeft } = obstructed(t, obstacle, 'out');
    const [log, out] = [join(directory, 'sound.ct'), join(directory, 'out')];
    assert.equal(ctrecorder(['-C', '-F', '-f', log, '-p', 'all', '--replay', capture]).code, 0);
    for (const args of [
      ['-S', '-f', log, '-o', out],
      ['repair', log, '-o', out],
    ]) {
      const { code, stderr } = ctrecorder(args);
      assert.equal(code, 1, `${args.join(' ')}: ${stderr}`);
      assert.doesNotMatch(stderr.trim(), /\n|internal error/);
      assertLeft();
    }
    assert.deepEqual(readdirSync(directory).sort(), ['out', 'sound.ct']);
  });
}
