/** What squeeze and repair replace and remove is theirs, whatever else happens in the directory meanwhile. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs, {
  appendFileSync,
  copyFileSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SystemFailure } from '../../../src/base/errors.js';
import { NewFile } from '../../../src/find/upkeep/new-file.js';
import { Original } from '../../../src/find/upkeep/original.js';
import { repair } from '../../../src/find/upkeep/repair.js';
import { squeeze } from '../../../src/find/upkeep/squeeze.js';
import { temporaryDirectory } from '../../lab/folder.js';
import { writeSound } from '../../log/read/damage-helper.js';
import { smallDisk } from '../../record/replay/small-disk.js';

const linux = process.platform === 'linux' ? false : 'needs Linux';

function soundFile(t: TestContext): string {
  const file = join(temporaryDirectory(t), 'a.ct');
  writeSound(file);
  return file;
}

const namesBeside = (file: string) => readdirSync(dirname(file)).sort();

function isBusy(error: unknown): boolean {
  return error instanceof SystemFailure && error.code === 'EBUSY' && !error.message.includes('\n');
}

/** Run `act` right before each call of this function of node:fs, until the test is over. */
function before(t: TestContext, name: 'fchmodSync' | 'fsyncSync', act: () => void): void {
  const original = fs[name] as (...args: unknown[]) => unknown;
  Object.assign(fs, {
    [name]: (...args: unknown[]) => {
      act();
      return original(...args);
    },
  });
  syncBuiltinESMExports();
  t.after(() => {
    Object.assign(fs, { [name]: original });
    syncBuiltinESMExports();
  });
}

test('files with temporary names of other runs stay', async (t) => {
  const file = soundFile(t);
  const [squeezed, repaired] = [join(dirname(file), 'b.ct'), join(dirname(file), 'c.ct')];
  const others = [file, squeezed, repaired].flatMap((path) =>
    ['1', process.pid, '0123456789ab'].map((run) => `${path}.${run}.tmp`),
  );
  for (const other of others) writeFileSync(other, 'keep me');
  await squeeze({ file, output: squeezed });
  await repair({ file, output: repaired });
  await squeeze({ file });
  for (const other of others) assert.equal(readFileSync(other, 'utf8'), 'keep me');
  assert.deepEqual(
    namesBeside(file),
    [file, squeezed, repaired, ...others].map((path) => basename(path)).sort(),
  );
});

test('each has a name of its own, and is gone when it got no other', (t) => {
  const target = join(temporaryDirectory(t), 'a.ct');
  const [one, other] = [NewFile.create('squeeze', target), NewFile.create('squeeze', target)];
  assert.notEqual(one.file.path, other.file.path);
  one.close();
  assert.deepEqual(namesBeside(target), [basename(other.file.path)]);
  other.putInPlace();
  other.close();
  assert.deepEqual(namesBeside(target), ['a.ct']);
});

test('what somebody else puts under the temporary name is neither used nor removed', (t) => {
  const file = soundFile(t);
  const bytes = readFileSync(file);
  for (const put of [
    (path: string) => writeFileSync(path, 'keep me'),
    (path: string) => symlinkSync(file, path),
    (path: string) => linkSync(file, path),
  ]) {
    const [made, original] = [NewFile.create('squeeze', file), Original.open('squeeze', file)];
    const { path } = made.file;
    rmSync(path);
    put(path);
    const { ino } = fs.lstatSync(path);
    assert.throws(() => made.putInPlace(), isBusy);
    assert.throws(() => made.replace(original), isBusy);
    made.close();
    original.close();
    assert.equal(fs.lstatSync(path).ino, ino);
    rmSync(path);
    assert.deepEqual(readFileSync(file), bytes);
  }
});

/** What may happen to a file while it is squeezed. */
const changes: readonly [what: string, change: (file: string) => void][] = [
  ['appended to', (file) => appendFileSync(file, 'x')],
  ['truncated', (file) => truncateSync(file, statSync(file).size - 1)],
  [
    'changed, with its times set back',
    (file) => {
      const { atime, mtime } = statSync(file);
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1] ^= 1;
      writeFileSync(file, bytes, { flag: 'r+' });
      utimesSync(file, atime, mtime);
    },
  ],
  [
    'replaced',
    (file) => {
      copyFileSync(file, `${file}.new`);
      renameSync(`${file}.new`, file);
    },
  ],
  [
    'replaced by a link to it',
    (file) => {
      renameSync(file, `${file}.moved`);
      symlinkSync(`${file}.moved`, file);
    },
  ],
  [
    'renamed and renamed back',
    (file) => {
      renameSync(file, `${file}.moved`);
      renameSync(`${file}.moved`, file);
    },
  ],
  ['removed', (file) => unlinkSync(file)],
];

for (const [what, change] of changes)
  test(`an original that was ${what} meanwhile is left alone`, { skip: linux }, async (t) => {
    const file = soundFile(t);
    let calls = 0;
    let changed: { bytes: Buffer | undefined; names: string[] } | undefined;
    before(t, 'fchmodSync', () => {
      // The first is that of the new file when it is made, the second when it is whole.
      if (++calls !== 2) return;
      change(file);
      const names = namesBeside(file).filter((name) => !name.endsWith('.tmp'));
      changed = { bytes: existsSync(file) ? readFileSync(file) : undefined, names };
    });
    await assert.rejects(squeeze({ file }), isBusy);
    assert.ok(changed !== undefined, 'the change came too late');
    assert.deepEqual(namesBeside(file), changed.names);
    if (changed.bytes !== undefined) assert.deepEqual(readFileSync(file), changed.bytes);
  });

test('an original is locked while it is squeezed', { skip: linux }, async (t) => {
  const file = soundFile(t);
  const canLock = () => spawnSync('flock', ['-n', file, 'true']).status === 0;
  const original = Original.open('squeeze', file);
  assert.ok(!canLock());
  await assert.rejects(squeeze({ file }), isBusy);
  original.assertUnchanged();
  original.close();
  assert.ok(canLock());
});

test('a live file is refused under any name', async (t) => {
  const file = soundFile(t);
  const live = join(dirname(file), 'live.ct.part');
  renameSync(file, live);
  symlinkSync(live, file);
  const bytes = readFileSync(live);
  await assert.rejects(squeeze({ file }), /live\.ct\.part: is still being written/);
  assert.deepEqual(readFileSync(live), bytes);
  assert.deepEqual(namesBeside(file), ['a.ct', 'live.ct.part']);
});

test('the new file is durable before it replaces, and its name after', async (t) => {
  const file = soundFile(t);
  const { ino } = statSync(file);
  const seen: boolean[] = [];
  before(t, 'fsyncSync', () => seen.push(statSync(file).ino !== ino));
  await squeeze({ file });
  assert.deepEqual(seen, [false, true]);
});

test('on a full disk what killed runs have left is named, and stays', {
  skip: smallDisk.obstacle,
}, async (t) => {
  const disk = smallDisk.mount(t, '64k');
  const file = soundFile(t);
  const output = join(disk, 'out.ct');
  const leftovers = [`${output}.0123456789ab.tmp`, `${output}.4711.tmp`];
  for (const path of [...leftovers, `${output}.my.tmp`]) writeFileSync(path, 'x');
  assert.throws(() => writeFileSync(join(disk, 'ballast'), new Uint8Array(2 ** 20)), { code: 'ENOSPC' });
  const names = namesBeside(output);
  const expected = `${output}: cannot be written: no space left; nothing was changed; remove ${leftovers.join(', ')} unless another run is writing them`;
  for (const make of [squeeze, repair])
    await assert.rejects(make({ file, output }), { code: 'ENOSPC', message: expected });
  assert.deepEqual(namesBeside(output), names);
});
