/**
 * The recorder's main promise: every connection is in the log, its start once, its end once, with the right
 * NAT addresses.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Connection } from '../lab/connection.js';
import type { FloodPlan } from '../lab/flood.js';
import { countOf, FloodTally } from '../lab/flood-tally.js';
import { makeFolder, removeFolder, visibleNames } from '../lab/folder.js';
import { Gateway } from '../lab/gateway.js';
import { Injector } from '../lab/inject.js';
import { raiseConntrackLimits } from '../lab/limits.js';
import { ctrecorder, Tally } from '../lab/listing.js';
import { labObstacle, type Namespace, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
const TEMPLATE = 'log-%H%M%S.ct';

let folder: string;
beforeEach(() => {
  folder = makeFolder('e2e');
});
afterEach(() => removeFolder(folder));

/**
 * Holds 105,000 events: what is tested is that nothing goes missing on its way, not how busy the machine is.
 */
const BUFFER = ['-b', '65536'];

/** A recorder that is ready, in `folder`. */
async function record(namespace: Namespace, ...options: string[]): Promise<ObservedProcess> {
  const args = ['-C', '-F', '-f', TEMPLATE, ...BUFFER, ...options];
  const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
  await recorder.says(/recording to/);
  return recorder;
}

async function stopWell(recorder: ObservedProcess): Promise<void> {
  const { code, stderr } = await recorder.stop();
  assert.equal(code, 0, stderr);
}

const logFiles = () => visibleNames(folder);
const list = (file: string) => ctrecorder(['-L', '-f', file], folder);

describe('real sockets through a gateway', { skip }, () => {
  it('10,000 connections of every kind are recorded, each start and each end exactly once', async () => {
    const lab = await Gateway.start();
    try {
      const recorder = await record(lab.gateway, '-p', 'all');
      const made: Connection[] = [
        ...(await lab.fetch(6000)),
        ...(await lab.fetch(2000, { family: 6 })),
        ...(await lab.fetchForwarded(500)),
        ...(await lab.fetchForwarded(480, { family: 6 })),
        ...(await lab.udpAnswered(500)),
        ...(await lab.udpUnanswered(500, { family: 6, client: 1 })),
        ...lab.ping(10),
        ...lab.ping(10, { family: 6 }),
      ];
      assert.equal(made.length, 10_000);
      await lab.endAll();
      await stopWell(recorder);
      const tally = new Tally();
      for (const file of logFiles()) tally.add(list(file));
      assert.deepEqual(tally.differences(made), []);
    } finally {
      lab.remove();
    }
  });

  it('only the protocols of -p are recorded', async () => {
    const lab = await Gateway.start();
    try {
      const recorder = await record(lab.gateway, '-p', 'udp');
      await lab.fetch(20);
      lab.ping(1);
      const made = [...(await lab.udpAnswered(20)), ...(await lab.udpAnswered(20, { family: 6 }))];
      await lab.endAll();
      await stopWell(recorder);
      const [file] = logFiles();
      assert.ok(!list(file).includes('proto='), 'a file of one protocol has the lines of the ancestor');
      const tally = new Tally();
      tally.add(list(file));
      assert.deepEqual(tally.differences(made), []);
    } finally {
      lab.remove();
    }
  });
});

describe('200,000 injected connections', { skip }, () => {
  const count = 200_000;
  let release: () => void;
  beforeEach(() => {
    release = raiseConntrackLimits(count + 10_000);
  });
  afterEach(() => release());

  for (const [name, plan] of Object.entries<FloodPlan>({
    'TCP over IPv4': { count },
    'UDP over IPv6 in a zone': { count, family: 6, proto: 17, zone: 9 },
  })) {
    it(`are recorded, each start and each end exactly once: ${name}`, async () => {
      await withNamespaces(['e2e'], async (namespace) => {
        const recorder = await record(namespace, '-p', 'tcp,udp');
        const injector = await Injector.start(namespace);
        await injector.create(plan);
        await injector.flush();
        await stopWell(recorder);
        const tally = new FloodTally(plan);
        for (const file of logFiles()) tally.add(list(file));
        tally.assertComplete();
      });
    });
  }

  it('are recorded exactly once while the log rotates under them', async () => {
    const plan: FloodPlan = { count };
    await withNamespaces(['e2e'], async (namespace) => {
      const recorder = await record(namespace);
      const injector = await Injector.start(namespace);
      let loaded = false;
      const load = injector
        .create(plan, 50_000)
        .then(() => injector.flush())
        .finally(() => {
          loaded = true;
        });
      while (!loaded) {
        recorder.signal('SIGHUP');
        await Promise.race([load, new Promise((resolve) => setTimeout(resolve, 1000))]);
      }
      await load;
      await stopWell(recorder);
      assert.ok(logFiles().length >= 4, `rotated: ${logFiles()}`);
      const tally = new FloodTally(plan);
      for (const file of logFiles()) tally.add(list(file));
      tally.assertComplete();
      ctrecorder(['-T', ...logFiles()], folder);
    });
  });

  it('are recorded without a hole up to the moment of SIGTERM', async () => {
    await withNamespaces(['e2e'], async (namespace) => {
      const recorder = await record(namespace, '-p', 'tcp', '--progress-fd', '3');
      const injector = await Injector.start(namespace);
      let ended = false;
      let made = 0;
      const load = async () => {
        for (; !ended && made < count; made += 5000)
          await injector.create({ first: made, count: 5000 }, 50_000);
      };
      const stop = async () => {
        await recorder.until(() => recorder.durableEvents() > 0, 'durable events');
        await stopWell(recorder);
        ended = true;
      };
      await Promise.all([load(), stop()]);
      const tally = new FloodTally({ count: made });
      for (const file of logFiles()) tally.add(list(file));
      assert.equal(tally.foreign, 0);
      // The kernel makes entries in order of their index: what was received is the first part of them, whole.
      const recorded = countOf(tally.starts, 1);
      assert.ok(recorded > 0 && recorded < made, `stopped under load: ${recorded} of ${made}`);
      assert.equal(countOf(tally.starts.subarray(0, recorded), 1), recorded);
    });
  });

  it('are recorded by each of two recorders in one folder', async () => {
    const plans: FloodPlan[] = [
      { count: 20_000, proto: 6 },
      { count: 20_000, proto: 17 },
    ];
    await withNamespaces(['e2e'], async (namespace) => {
      const recorders = await Promise.all(
        ['tcp', 'udp'].map(async (protocol) => {
          const args = ['-C', '-F', '-f', `${protocol}-%H%M%S.ct`, ...BUFFER, '-p', protocol];
          const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
          await recorder.says(/recording to/);
          return recorder;
        }),
      );
      const injector = await Injector.start(namespace);
      for (const plan of plans) await injector.create(plan);
      await injector.flush();
      for (const recorder of recorders) await stopWell(recorder);
      for (const [i, protocol] of ['tcp', 'udp'].entries()) {
        const tally = new FloodTally(plans[i]);
        for (const file of logFiles().filter((name) => name.startsWith(protocol))) tally.add(list(file));
        tally.assertComplete();
      }
    });
  });
});
