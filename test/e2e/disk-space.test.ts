/**
 * The built program on a small disk: what --min-free, --keep-bytes, --hold and --mode do, as its user sees
 * it.
 */

import assert from 'node:assert/strict';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { visibleNames } from '../lab/folder.js';
import { Injector } from '../lab/inject.js';
import { ctrecorder } from '../lab/listing.js';
import { labObstacle, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';
import { Mounts } from '../record/writer/mounts.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
const CONNECTIONS = 100;

test('--min-free: waits, says so when asked, and goes on when there is room', { skip }, () =>
  Mounts.with((mounts) =>
    withNamespaces(['space'], async (namespace) => {
      const cwd = mounts.tmpfs('small', 'size=16m');
      const ballast = join(cwd, 'ballast');
      writeFileSync(ballast, new Uint8Array(12 * 2 ** 20));
      const injector = await Injector.start(namespace);
      const args = ['-C', '-F', '-f', 'log-%H%M.ct', '--min-free', '8M', '--mode', '0604'];
      const recorder = await ObservedProcess.recorder(namespace, args, { cwd });
      await recorder.says(/recording to/);
      await injector.create({ count: CONNECTIONS });
      await recorder.says(/bytes are free on the disk, and --min-free leaves 8388608; events are kept/);
      recorder.signal('SIGUSR1');
      await recorder.says(/statistics: .* 0 durable; stalled for \d+ s, less is free than --min-free leaves/);
      rmSync(ballast);
      await recorder.says(/writing works again/);
      const { code, stderr } = await recorder.stop();
      assert.equal(code, 0, stderr);
      const [file] = visibleNames(cwd);
      assert.equal(statSync(join(cwd, file)).mode & 0o777, 0o604);
      const lines = ctrecorder(['-L', '-f', file], cwd).trim().split('\n');
      assert.equal(lines.length, CONNECTIONS);
    }),
  ),
);

test(
  '--keep-bytes: each rotation removes what is not on hold, with a line, and -T tells the chain',
  { skip },
  () =>
    Mounts.with((mounts) =>
      withNamespaces(['space'], async (namespace) => {
        const cwd = mounts.tmpfs('logs', 'size=16m');
        const args = ['-C', '-F', '-f', '%s', '--keep-bytes', '1'];
        const recorder = await ObservedProcess.recorder(namespace, args, { cwd });
        const opened = () =>
          [...recorder.stderr.matchAll(/"recording to \S+\/(\d+)\.part"/g)].map(([, name]) => name);
        await recorder.until(() => opened().length === 1, 'the first file');
        for (let files = 2; files <= 5; files++) {
          // The third is wanted as evidence before it is finished.
          if (files === 4) writeFileSync(join(cwd, `${opened()[2]}.hold`), '');
          await recorder.until(() => Date.now() / 1000 >= Number(opened().at(-1)) + 1, 'the next second');
          recorder.signal('SIGHUP');
          await recorder.until(() => opened().length === files, `file ${files}`);
        }
        const [first, second, held, fourth, live] = opened();
        await recorder.until(() => recorder.stderr.split('"removed ').length === 4, 'three removals');
        recorder.signal('SIGUSR1');
        await recorder.says(/"filesRemoved":3,"bytesRemoved":[1-9]\d+,.*"statistics: /);
        const { code, stderr } = await recorder.stop();
        assert.equal(code, 0, stderr);
        assert.deepEqual(visibleNames(cwd), [held, `${held}.hold`, live]);
        for (const name of [first, second, fourth]) {
          const [, size, chain] = new RegExp(
            `"removed \\S+/${name} \\(more than --keep-bytes\\), (\\d+) bytes, chain ([0-9a-f]{64})"`,
          ).exec(stderr)!;
          assert.ok(Number(size) > 500);
          assert.match(stderr, new RegExp(`closed \\S+/${name}, chain ${chain}`));
        }
        const said = ctrecorder(['-T', held, live], cwd);
        assert.match(said, new RegExp(`^${live}: retention removed 1 file, the last ${fourth}, chain`, 'm'));
        assert.match(
          said,
          new RegExp(`^${live}: the file before it, ${fourth}, was removed by retention$`, 'm'),
        );
      }),
    ),
);
