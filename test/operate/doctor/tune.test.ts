/** `tune` on a namespace with a known number of events. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Injector } from '../../lab/inject.js';
import { labObstacle, withNamespaces } from '../../lab/namespace.js';
import { ObservedProcess } from '../../lab/process.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

describe('tune', { skip }, () => {
  it('counts what comes, says what an event costs of the buffer, records nothing', async () => {
    await withNamespaces(['tune'], async (namespace) => {
      const injector = await Injector.start(namespace);
      const watching = await ObservedProcess.recorder(namespace, [
        'tune',
        '--for',
        '1h',
        '--json',
        '-p',
        'all',
      ]);
      // Entries from the first that it can have seen on: with events "auto" nothing is sent while nobody
      // listens.
      while (!namespace.run('cat', ['/proc/net/netlink']).includes(' 00000005 ')) await injector.flush();
      await injector.create({ count: 3000 });
      await injector.flush();
      const { code, stdout } = await watching.stop('SIGINT');
      assert.equal(code, 0);
      const seen = JSON.parse(stdout);
      assert.deepEqual([seen.starts, seen.ends, seen.events, seen.lost], [3000, 3000, 6000, 0]);
      assert.ok(seen.eventBufferBytes > 500 && seen.eventBufferBytes <= 1280, `${seen.eventBufferBytes}`);
      assert.ok(seen.messageBytes > 100 && seen.messageBytes < 400);
      assert.ok(seen.eventsPerSecond.burst >= seen.eventsPerSecond.mean);
      assert.deepEqual(Object.keys(seen.advice), ['rcvbufKiB', 'ringSlots', 'reasons']);
    });
  });
});
