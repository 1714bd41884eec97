import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SystemFailure } from '../../../src/base/errors.js';
import { PidFile } from '../../../src/operate/daemon/pidfile.js';
import { endWithUs } from '../../lab/cleanup.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';

const skip = process.platform === 'linux' ? false : 'needs Linux';
const directory = makeFolder('pidfile');
after(() => removeFolder(directory));
const path = join(directory, 'pid');

function assertTaken(): void {
  assert.throws(
    () => PidFile.open(path),
    (error) => error instanceof SystemFailure && error.code === 'EEXIST' && error.message.includes(path),
  );
}

test('holds the process id and is removed', { skip }, () => {
  const file = PidFile.open(path);
  file.write();
  assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
  file.remove();
  assert.ok(!existsSync(path));
});

test('is removed only where it stands itself', { skip }, () => {
  const first = PidFile.open(path);
  first.write();
  rmSync(path);
  const second = PidFile.open(path);
  second.write();
  assert.equal(first.remove(), false);
  assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
  assertTaken();
  const aside = join(directory, 'aside');
  renameSync(path, aside);
  symlinkSync(aside, path);
  assert.equal(second.remove(), false);
  assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
  rmSync(path);
  rmSync(aside);
});

test('another file that is handed over as one is refused and not emptied', { skip }, () => {
  const content = 'precious\n'.repeat(10);
  writeFileSync(path, content);
  const fd = openSync(path, 'r+');
  assert.throws(() => PidFile.adopt(path, fd), SystemFailure);
  closeSync(fd);
  assert.equal(readFileSync(path, 'utf8'), content);
  rmSync(path);
});

test('is refused while it is locked, and left as it is', { skip }, () => {
  const file = PidFile.open(path);
  file.write();
  assertTaken();
  assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
  file.remove();
});

test('is stale when empty, when its process is gone or is something else', { skip }, async () => {
  const gone = spawn('true');
  await once(gone, 'exit');
  for (const content of ['', `${gone.pid}\n`, '1\n', `${2 ** 31 - 1}`]) {
    writeFileSync(path, content);
    const file = PidFile.open(path);
    file.write();
    assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
    file.remove();
  }
});

test('is live when its process is a ctrecorder that does not lock (the ancestor)', { skip }, async () => {
  const child = spawn('sleep', ['600'], { argv0: 'ctrecorder' });
  endWithUs(child);
  try {
    await once(child, 'spawn');
    writeFileSync(path, `${child.pid}\n`);
    assertTaken();
    assert.equal(readFileSync(path, 'utf8'), `${child.pid}\n`);
  } finally {
    child.kill('SIGKILL');
    rmSync(path);
  }
});

test('never overwrites what is no pid file', { skip }, () => {
  for (const content of ['precious\n', '12 34\n', '-1\n']) {
    writeFileSync(path, content);
    assertTaken();
    assert.equal(readFileSync(path, 'utf8'), content);
  }
  rmSync(path);
});

test('follows no symbolic link', { skip }, () => {
  const target = join(directory, 'target');
  writeFileSync(target, '');
  symlinkSync(target, path);
  assert.throws(() => PidFile.open(path), { code: 'ELOOP' });
  assert.equal(readFileSync(target, 'utf8'), '');
  rmSync(path);
});

test('a pipe, a device or a directory in its place is refused at once', { skip }, () => {
  spawnSync('mkfifo', [path]);
  assertTaken();
  rmSync(path);
  mkdirSync(path);
  assert.throws(() => PidFile.open(path), { code: 'EISDIR' });
  rmSync(path, { recursive: true });
  assert.throws(
    () => PidFile.open('/dev/zero'),
    (error) => error instanceof SystemFailure && error.code === 'EEXIST',
  );
});

test('is made so that others cannot open it, and so not lock it', { skip }, () => {
  const before = process.umask(0);
  const file = PidFile.open(path);
  process.umask(before);
  assert.equal(statSync(path).mode & 0o7777, 0o640);
  file.remove();
});

test('a file of any length is no pid file', { skip }, () => {
  const content = ' '.repeat(100);
  writeFileSync(path, `1${content}precious\n`);
  assertTaken();
  assert.equal(readFileSync(path, 'utf8'), `1${content}precious\n`);
  rmSync(path);
});
