import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

test('importing the module loads nothing; where koffi is missing it says so in one line', () => {
  const module = new URL('../../../src/base/libc/load.js', import.meta.url);
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
