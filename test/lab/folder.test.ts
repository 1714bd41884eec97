import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory, withFolder } from './folder.js';

const MODULE = new URL('folder.js', import.meta.url).href;
const skip = process.platform === 'linux' ? false : 'the maker of a folder is known by /proc';

/** The folder that a process made in `parent` which then did `what`, and how it ended. */
async function folderOf(parent: string, what: string): Promise<{ folder: string; signal: string | null }> {
  const code =
    `import { makeFolder } from ${JSON.stringify(MODULE)}; import { writeFileSync } from 'node:fs';` +
    `const folder = makeFolder('own', ${JSON.stringify(parent)}); writeFileSync(folder + '/file', '');` +
    `console.log(folder); ${what}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let folder = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    folder += text;
  });
  const [, signal] = await once(child, 'close');
  return { folder: folder.trim(), signal };
}

test('a folder is gone when its process is: after an error, process.exit, and signals that end it', async (t) => {
  const parent = temporaryDirectory(t);
  for (const what of ['', 'throw new Error("as in a test");', 'process.exit(3);']) {
    const { folder } = await folderOf(parent, what);
    assert.ok(folder.startsWith(parent), folder);
    assert.ok(!existsSync(folder), what);
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    const ended = await folderOf(
      parent,
      `process.kill(process.pid, '${signal}'); setInterval(() => {}, 1000);`,
    );
    assert.equal(ended.signal, signal);
    assert.ok(!existsSync(ended.folder), signal);
  }
});

test('what a killed process left goes with the next one, and nothing else does', { skip }, async (t) => {
  const parent = temporaryDirectory(t);
  const killed = await folderOf(parent, `process.kill(process.pid, 'SIGKILL');`);
  assert.ok(existsSync(join(killed.folder, 'file')));
  const others = ['ctrecorder-log', 'ctrecorder-x-1', 'other-1.2-x'].map((name) => join(parent, name));
  for (const other of others) mkdirSync(other);
  await withFolder(
    'own',
    async (folder) => {
      assert.ok(!existsSync(killed.folder));
      writeFileSync(join(folder, 'file'), '');
      const next = await folderOf(parent, '');
      assert.ok(existsSync(join(folder, 'file')), `${next.folder} was made beside it`);
    },
    parent,
  );
  assert.ok(others.every((other) => existsSync(other)));
});
