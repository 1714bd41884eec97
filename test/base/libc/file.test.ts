import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { flock, renameNoReplace } from '../../../src/base/libc/file.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';
import { skip, systemFailure } from './helpers.js';

function inTemporaryFolder(use: (folder: string) => void): void {
  const folder = makeFolder('libc');
  try {
    use(folder);
  } finally {
    removeFolder(folder);
  }
}

test('renameNoReplace renames and never replaces', { skip }, () =>
  inTemporaryFolder((folder) => {
    const [a, b, c] = ['a', 'b', 'ć'].map((name) => join(folder, name));
    writeFileSync(a, 'from a');
    writeFileSync(b, 'from b');
    assert.throws(() => renameNoReplace(a, b), systemFailure('EEXIST', /b: file already exists/));
    assert.equal(readFileSync(b, 'utf8'), 'from b');
    renameNoReplace(a, c);
    assert.equal(readFileSync(c, 'utf8'), 'from a');
    assert.ok(!existsSync(a));
    assert.throws(() => renameNoReplace(a, b), systemFailure('ENOENT', /no such file/));
  }),
);

test('flock is exclusive between open files and gone when one is closed', { skip }, () =>
  inTemporaryFolder((folder) => {
    const path = join(folder, 'locked');
    writeFileSync(path, '');
    const first = openSync(path, 'r');
    const second = openSync(path, 'r');
    assert.equal(flock(first, true, true), true);
    assert.equal(flock(second, true, true), false);
    assert.equal(flock(second, false, true), false);
    closeSync(first);
    assert.equal(flock(second, true, true), true);
    closeSync(second);
    assert.throws(() => flock(second, true, true), systemFailure('EBADF', /flock/));
  }),
);
