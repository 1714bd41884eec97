import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SystemFailure } from '../../src/base/errors.js';
import { captureSupport } from '../../src/base/libc/load.js';
import * as libc from '../../src/base/libc/socket.js';
import { createRing } from '../../src/record/ring/layout.js';
import { makeFolder, removeFolder } from '../lab/folder.js';

const skip = captureSupport().available || process.env.CI === 'true' ? false : 'no capture support here';

function systemFailure(code: string, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SystemFailure);
    assert.equal(error.code, code);
    assert.match(error.message, text);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  };
}

function inTemporaryFolder(use: (folder: string) => void): void {
  const folder = makeFolder('libc');
  try {
    use(folder);
  } finally {
    removeFolder(folder);
  }
}

test('importing the module loads nothing; where koffi is missing it says so in one line', () => {
  const module = new URL('../../src/base/libc/load.js', import.meta.url);
  const script = `
    import Module from 'node:module';
    const load = Module._load;
    Module._load = function (request, ...rest) {
      if (request === 'koffi') throw new Error('no such package\\nRequire stack: ...');
      return load.call(this, request, ...rest);
    };
    const { captureSupport } = await import(${JSON.stringify(module.href)});
    process.stdout.write(JSON.stringify(captureSupport()));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const { available, reason } = JSON.parse(output);
  assert.equal(available, false);
  assert.doesNotMatch(reason, /\n/);
  if (process.platform === 'linux')
    assert.match(reason, /koffi cannot be loaded: no such package \(npm install koffi\)/);
});

test('renameNoReplace renames and never replaces', { skip }, () =>
  inTemporaryFolder((folder) => {
    const [a, b, c] = ['a', 'b', 'ć'].map((name) => join(folder, name));
    writeFileSync(a, 'from a');
    writeFileSync(b, 'from b');
    assert.throws(() => libc.renameNoReplace(a, b), systemFailure('EEXIST', /b: file already exists/));
    assert.equal(readFileSync(b, 'utf8'), 'from b');
    libc.renameNoReplace(a, c);
    assert.equal(readFileSync(c, 'utf8'), 'from a');
    assert.ok(!existsSync(a));
    assert.throws(() => libc.renameNoReplace(a, b), systemFailure('ENOENT', /no such file/));
  }),
);

test('flock is exclusive between open files and gone when one is closed', { skip }, () =>
  inTemporaryFolder((folder) => {
    const path = join(folder, 'locked');
    writeFileSync(path, '');
    const first = openSync(path, 'r');
    const second = openSync(path, 'r');
    assert.equal(libc.flock(first, true, true), true);
    assert.equal(libc.flock(second, true, true), false);
    assert.equal(libc.flock(second, false, true), false);
    closeSync(first);
    assert.equal(libc.flock(second, true, true), true);
    closeSync(second);
    assert.throws(() => libc.flock(second, true, true), systemFailure('EBADF', /flock/));
  }),
);

test('the rights of this thread are those in /proc', { skip }, () => {
  const status = readFileSync(`/proc/self/task/${libc.gettid()}/status`, 'latin1');
  const mask = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\s*(\\w+)`, 'm').exec(status)![1]}`);
  assert.deepEqual(libc.capget(), {
    effective: mask('CapEff'),
    permitted: mask('CapPrm'),
    inheritable: mask('CapInh'),
  });
});

test('capset takes and gives back', { skip: skip || (process.getuid?.() !== 0 && 'needs root') }, () => {
  const before = libc.capget();
  const bit = 1n << 12n;
  libc.capset({ ...before, effective: before.effective & ~bit });
  try {
    assert.equal(libc.capget().effective & bit, 0n);
  } finally {
    libc.capset(before);
  }
  assert.deepEqual(libc.capget(), before);
});

test('errors of prctl and of sockets name the operation and the errno', { skip }, () => {
  assert.throws(() => libc.prctl(9999), systemFailure('EINVAL', /prctl 9999/));
  assert.throws(() => libc.openSocket(9999, 1, 0), systemFailure('EAFNOSUPPORT', /socket/));
  assert.throws(() => libc.closeDescriptor(-1), systemFailure('EBADF', /close/));
});

test('the wall clock is the wall clock, in microseconds', { skip }, () => {
  const before = Date.now() * 1000;
  const now = libc.wallClockUs();
  const after = (Date.now() + 1) * 1000;
  assert.ok(before <= now && now <= after, `${before} ${now} ${after}`);
});

test('descriptors lead to their own slots', { skip }, () => {
  const ring = createRing({ slots: 3, slotBytes: 64, extraBytes: libc.RECEIVE_EXTRA_BYTES });
  const { descriptorsAddress } = libc.prepareReceiveMemory(ring);
  const view = new DataView(ring.buffer);
  const base = BigInt(descriptorsAddress - ring.descriptorsOffset);
  for (let slot = 0; slot < 3; slot++) {
    const descriptor = ring.descriptorsOffset + slot * 64;
    const name = Number(view.getBigUint64(descriptor, true) - base);
    const iovec = Number(view.getBigUint64(descriptor + 16, true) - base);
    assert.equal(name, ring.extrasOffset + slot * 32);
    assert.equal(iovec, name + 16);
    assert.equal(Number(view.getBigUint64(iovec, true) - base), ring.offsetOf(slot));
    assert.equal(view.getBigUint64(iovec + 8, true), 64n);
  }
});
