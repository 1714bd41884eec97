/**
 * The table is compared with the log while entries come and go: what events told stays as it is, and every
 * file is right alone.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Injector } from '../../lab/inject.js';
import { raiseConntrackLimits } from '../../lab/limits.js';
import { labObstacle, withNamespaces } from '../../lab/namespace.js';
import { type Churn, churn, FilesCheck } from './churn.js';
import { record, rotate, saysTimes, stopWell, withFolder } from './recording.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

const BASE = 60_000;
const load: Churn = {
  first: BASE,
  tuples: 100_000,
  chunk: 2500,
  alive: 8,
  chunks: 80,
  ratePerSecond: 25_000,
};

for (const timestamp of [0, 1] as const)
  it(`audits under load lose, double and invent nothing (nf_conntrack_timestamp=${timestamp})`, {
    skip,
  }, async () => {
    const release = raiseConntrackLimits(BASE + load.tuples + 10_000);
    try {
      await withFolder((folder) =>
        withNamespaces(['load'], async (namespace) => {
          namespace.conntrackSysctls({ timestamp, events: 1 });
          const injectors = [await Injector.start(namespace), await Injector.start(namespace)];
          await injectors[0].create({ count: BASE });
          const recorder = await record(namespace, folder, '-b', '65536');
          await saysTimes(recorder, /table: /, 1);
          let over = false;
          const churning = churn(load, injectors[0], injectors[1]).finally(() => {
            over = true;
          });
          while (!over) await rotate(recorder);
          await churning;
          await injectors[0].flush();
          const files = await stopWell(recorder, folder);
          assert.ok(files.length >= 5, `rotated: ${files.length} files`);
          assert.doesNotMatch(recorder.stderr, /dropped|table worker/);
          const check = new FilesCheck(BASE + load.tuples, (index) => index < BASE);
          for (const file of files) await check.add(file, file === files[0]);
          assert.deepEqual(check.findings.slice(0, 10), [], `${check.findings.length} findings`);
          assert.equal(check.derived, 0);
          const rounds = (load.chunk * load.chunks) / load.tuples;
          for (let index = 0; index < check.count; index++) {
            assert.equal(check.starts[index], index < BASE ? 0 : rounds);
            assert.equal(check.ends[index], index < BASE ? 1 : rounds);
          }
        }),
      );
    } finally {
      release();
    }
  });
