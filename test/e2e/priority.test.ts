/** Who gets the CPU first: the thread that takes the events, unless `-N` says otherwise. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withFolder } from '../lab/folder.js';
import { labObstacle, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';
import { threadsOf } from '../operate/daemon/threads.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

/**
 * Nice values of the main thread and of the others, each once; without the table worker, which is nice by
 * itself.
 */
async function niceValues(...options: string[]): Promise<{ main: number; others: Set<number> }> {
  return withNamespaces(['nice'], (namespace) =>
    withFolder('nice', async (folder) => {
      const args = ['-C', '-F', '-f', 'nat.ct', '--no-snapshot', ...options];
      const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
      await recorder.says(/recording to/);
      const [main, ...others] = threadsOf(recorder.pid).map(({ nice }) => Number(nice));
      await recorder.stop();
      return { main, others: new Set(others) };
    }),
  );
}

describe('nice values', { skip }, () => {
  it('the thread that takes the events precedes the others by ten', async () => {
    const { main, others } = await niceValues();
    assert.deepEqual([...others], [main + 10]);
  });

  it('-N gives all threads its own', async () => {
    const { main, others } = await niceValues('-N', '3');
    assert.deepEqual([main, ...others], [3, 3]);
  });
});
