/** A disk that hangs: the watchdog names the stage, nothing is lost, and a stop still ends. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { FloodTally } from '../lab/flood-tally.js';
import { Injector } from '../lab/inject.js';
import { ctrecorder } from '../lab/listing.js';
import { LoopDisk } from '../lab/loop-disk.js';
import { labObstacle, type Namespace, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
const COUNT = 1000;

/** As in /proc/PID/stat, behind the command name in parentheses. */
function processState(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat[stat.lastIndexOf(')') + 2];
}

describe('a disk that hangs', { skip }, () => {
  let disk: LoopDisk;
  beforeEach(() => {
    disk = new LoopDisk();
  });
  afterEach(() => disk.remove());

  /** Recording onto the disk, which hangs before anything was made durable. */
  async function recordOnHangingDisk(namespace: Namespace, ...options: string[]): Promise<ObservedProcess> {
    const args = ['-C', '-F', '-f', 'nat.ct', '--flush-interval', '50ms', ...options];
    const recorder = await ObservedProcess.recorder(namespace, args, { cwd: disk.folder });
    await recorder.says(/recording to/);
    disk.freeze();
    const injector = await Injector.start(namespace);
    await injector.create({ count: COUNT });
    await injector.flush();
    return recorder;
  }

  it('is named, also in the statistics, and everything is recorded when it works again', async () => {
    await withNamespaces(['stall'], async (namespace) => {
      const recorder = await recordOnHangingDisk(namespace);
      await recorder.says(
        /the writer has made no progress since 2\S+Z: a write to \S+\/nat\.ct\.part or its fdatasync does not return"/,
      );
      recorder.signal('SIGUSR1');
      await recorder.says(/statistics: .* durable, writer stalled \(no progress for \d+ s: a write to /);
      disk.thaw();
      await recorder.says(/the writer is making progress again after \d+ s/);
      const { code, stderr } = await recorder.stop();
      assert.equal(code, 0, stderr);
      assert.equal(stderr.match(/the writer has made no progress/g)?.length, 1, 'said once');
      const tally = new FloodTally({ count: COUNT });
      tally.add(ctrecorder(['-L', '-f', 'nat.ct'], disk.folder));
      tally.assertComplete();
    });
  });

  it('does not keep a stop from ending that comes before the first file is open', async () => {
    await withNamespaces(['stall'], async (namespace) => {
      disk.freeze();
      const args = ['-C', '-F', '-f', 'nat.ct', '--stop-timeout', '1s'];
      const recorder = await ObservedProcess.recorder(namespace, args, { cwd: disk.folder });
      await recorder.says(/running with the rights/);
      recorder.signal('SIGTERM');
      await recorder.says(/nat\.ct: the first file could not be opened within --stop-timeout/);
      await recorder.until(() => processState(recorder.pid) === 'Z', 'the end');
      disk.thaw();
      assert.equal((await recorder.exit).code, 1);
    });
  });

  for (const [what, signals, says] of [
    ['a stop', 1, /stopped without saving everything: \d+ events in blocks and \d+ messages in the ring/],
    ['a second signal', 2, /second SIGTERM: ended at once; what was not acknowledged is lost/],
  ] as const)
    it(`does not keep ${what} from ending the process, as far as the kernel lets it`, async () => {
      await withNamespaces(['stall'], async (namespace) => {
        const recorder = await recordOnHangingDisk(namespace, '--stop-timeout', '1s');
        for (let sent = 0; sent < signals; sent++) {
          await recorder.says(sent === 0 ? /recording to/ : /SIGTERM: stopping/);
          recorder.signal('SIGTERM');
        }
        await recorder.says(says);
        // Only the thread whose system call hangs is left.
        await recorder.until(() => processState(recorder.pid) === 'Z', 'the end');
        disk.thaw();
        assert.equal((await recorder.exit).code, 1);
      });
    });
});
