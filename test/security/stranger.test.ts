/** Netlink messages that do not come from the kernel, sent to a running recorder's port. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { Injector } from '../lab/inject.js';
import { ctrecorder, listedEvents } from '../lab/listing.js';
import { labObstacle, type Namespace, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
const script = fileURLToPath(new URL('stranger-process.js', import.meta.url));
const FORGED = 50;
const REAL = 5;
const NOBODY = 65534;

/** Of the socket that is in the groups NEW and DESTROY of the netfilter family. */
function recorderPort(namespace: Namespace): string {
  const table = namespace.run('cat', ['/proc/net/netlink']);
  const port = /^\S+ +12 +(\d+) +00000005 /m.exec(table)?.[1];
  assert.ok(port, table);
  return port;
}

test('events that another process sends are counted, and none is recorded', { skip }, () =>
  withNamespaces(['stranger'], async (namespace) => {
    const folder = makeFolder('stranger');
    try {
      const args = ['-C', '-F', '-f', 'nat.ct', '-p', 'all'];
      const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
      await recorder.says(/recording to/);
      const port = recorderPort(namespace);
      const send = (user: number) =>
        namespace.run(process.execPath, [script, port, String(FORGED), String(user)]);
      assert.match(send(NOBODY), /EPERM|not permitted/, 'the kernel lets only CAP_NET_ADMIN send to a port');
      assert.equal(send(0), '');
      const injector = await Injector.start(namespace);
      await injector.create({ first: 1000, count: REAL });
      await injector.stop();
      recorder.signal('SIGUSR1');
      await recorder.says(new RegExp(`"foreignSender":${FORGED},`));
      const { code, stderr } = await recorder.stop();
      assert.equal(code, 0, stderr);
      const listed = [...listedEvents(ctrecorder(['-LHf', 'nat.ct'], folder))];
      assert.deepEqual(
        listed.map(({ letter }) => letter),
        Array(REAL).fill('S'),
      );
    } finally {
      removeFolder(folder);
    }
  }),
);
