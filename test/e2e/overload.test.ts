/**
 * Overload is ordinary: memory stays bounded, the recorder catches up by itself, and its accounts are exact
 * to the event.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { raiseConntrackLimits } from '../lab/limits.js';
import { LoopDisk } from '../lab/loop-disk.js';
import { labObstacle, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';
import { type Accounts, accountsText, Overload } from './overload.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
const FLOOD = 100_000;
/** Load goes on for so long while the recorder or its disk stands still. */
const STALL_MS = 4000;
const BUSY_PROCESSES = 4;

let release: () => void;
let folder: string;
beforeEach(() => {
  release = raiseConntrackLimits(2 * FLOOD);
  folder = makeFolder('overload');
});
afterEach(() => {
  release();
  removeFolder(folder);
});

/** A recorder under `load`, and its accounts, which are exact and hold a loss. */
async function accountsOf(
  t: TestContext,
  place: string,
  rcvbufKiB: number,
  load: (overload: Overload) => Promise<void>,
): Promise<Accounts> {
  return withNamespaces(['overload'], async (namespace) => {
    const overload = await Overload.start(namespace, place, rcvbufKiB);
    await load(overload);
    const accounts = await overload.settle();
    t.diagnostic(accountsText(accounts));
    assert.ok(accounts.lost > 0, 'more than it can take');
    return accounts;
  });
}

describe('recorded and counted as lost is what was sent, to the event', { skip }, () => {
  it('when a flood is far beyond a small buffer', async (t) => {
    const { causes } = await accountsOf(t, folder, 64, (overload) => overload.floodFor(STALL_MS, FLOOD));
    assert.ok(causes.has('buffer too small'), [...causes].join());
  });

  it('when the recorder stands still under load', async (t) => {
    const { causes, recorded } = await accountsOf(t, folder, 1024, async (overload) => {
      overload.recorder.signal('SIGSTOP');
      await overload.floodFor(STALL_MS, FLOOD);
      overload.recorder.signal('SIGCONT');
    });
    assert.ok(causes.has('reader stalled'), [...causes].join());
    assert.ok(recorded > 0, 'what the buffer held');
  });

  it('when its disk stands still under load', async (t) => {
    const disk = new LoopDisk();
    try {
      const { causes } = await accountsOf(t, disk.folder, 1024, async (overload) => {
        disk.freeze();
        await overload.floodFor(STALL_MS, FLOOD);
        disk.thaw();
      });
      assert.ok(causes.has('disk stalled'), [...causes].join());
    } finally {
      disk.remove();
    }
  });

  it('when four busy processes leave it no CPU', async (t) => {
    const busy = await Promise.all(
      Array.from({ length: BUSY_PROCESSES }, () =>
        ObservedProcess.start(undefined, process.execPath, ['-e', 'for (;;);']),
      ),
    );
    try {
      const { causes } = await accountsOf(t, folder, 64, (overload) => overload.floodFor(STALL_MS, FLOOD));
      for (const cause of causes)
        assert.ok(['buffer too small', 'reader stalled', 'parser stalled'].includes(cause), cause);
    } finally {
      for (const one of busy) await one.stop('SIGKILL');
    }
  });
});
