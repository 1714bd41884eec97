/**
 * The benchmark on the real kernel, small: floods against the kernel's table, trials against what is known.
 */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FloodGateway } from '../../bench/generate/flood-gateway.js';
import { InjectedFlood } from '../../bench/generate/injected.js';
import { PacketFlood, packetFloodNames } from '../../bench/generate/packets.js';
import { measureBuffers } from '../../bench/measure/buffers.js';
import { StallingDisk } from '../../bench/measure/disk.js';
import { killTrial } from '../../bench/measure/kill.js';
import { trial } from '../../bench/measure/trial.js';
import { TruthCount } from '../../bench/measure/truth.js';
import { ConntrackTool, conntrackFormat } from '../../bench/programs/conntrack.js';
import { Ctrecorder } from '../../bench/programs/ctrecorder.js';
import { Floor } from '../../bench/programs/floor.js';
import type { Program } from '../../bench/programs/program.js';
import { parseLine } from '../../bench/programs/text.js';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { labObstacle } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

describe('the benchmark', { skip }, () => {
  let gateway: FloodGateway;
  let folder: string;
  before(async () => {
    gateway = await FloodGateway.start();
    folder = makeFolder('trial');
  });
  after(() => {
    gateway?.remove();
    removeFolder(folder);
  });

  const injected = (connections: number, turns = 1) =>
    new InjectedFlood(gateway.namespace, gateway.injector, connections, turns);

  for (const name of packetFloodNames)
    it(`flood ${name}: the kernel's table is the list, and is empty after the end`, async () => {
      const flood = new PacketFlood(gateway, name, 6000); // more than a row
      const { sent, created } = await flood.create();
      assert.deepEqual({ sent, created }, { sent: 6000, created: 6000 });
      const count = new TruthCount(flood);
      for (const line of gateway.namespace.run('conntrack', ['-L']).trim().split('\n'))
        count.take(true, parseLine(line, conntrackFormat)!);
      const { starts, foreign, repeated } = count;
      assert.deepEqual({ starts, foreign, repeated }, { starts: 6000, foreign: 0, repeated: 0 });
      await flood.end();
      assert.equal(gateway.namespace.conntrackCount(), 0);
    });

  it('trial of the recorder: all there, nothing lost, and it says so', async () => {
    const result = await trial(new Ctrecorder(), injected(1500, 2), { folder, bufferKiB: 8192 });
    assert.equal(result.failure, undefined);
    const { sent, recorded, lost, repeated, foreign, known, kernelDrops } = result;
    assert.deepEqual(
      { sent, recorded, lost, repeated, foreign, known, kernelDrops },
      { sent: 6000, recorded: 6000, lost: 0, repeated: 0, foreign: 0, known: { events: 0 }, kernelDrops: 0 },
    );
    assert.ok(result.cpuUserMs > 0 && result.peakRssMiB > 0 && result.bytesOnDisk > 0);
  });

  it('trial of programs that lose: what they recorded and what the kernel dropped is what was sent', async () => {
    for (const program of [new Ctrecorder(), new Floor(folder), new ConntrackTool()]) {
      const result = await trial(program, injected(20_000), { folder, bufferKiB: 16 });
      assert.equal(result.failure, undefined);
      assert.ok(result.lost > 0, `${program.name} loses with a tiny buffer`);
      assert.equal(result.recorded + result.kernelDrops, 40_000, program.name);
      if (result.known.events !== undefined) assert.equal(result.known.events, result.lost, program.name);
    }
  });

  it('trial of a program that dies is reported, and the next one runs as ever', async () => {
    const dying: Program = {
      name: 'dying',
      version: () => '',
      obstacle: () => undefined,
      start: async ({ namespace }) => ({
        process: await ObservedProcess.start(namespace, 'sh', ['-c', 'echo no such table >&2; exit 3']),
        readBack: async () => {},
        knownLoss: () => ({}),
      }),
    };
    const result = await trial(dying, injected(100), { folder, bufferKiB: 64 });
    assert.equal(result.failure, 'ended at its start: no such table');
    assert.equal(result.sent, 0);
    assert.equal((await killTrial(dying, injected(100), killOptions())).failure, result.failure);
    const after = await trial(new Floor(folder), injected(100), { folder, bufferKiB: 64 });
    assert.equal(after.recorded, 200);
  });

  const killOptions = () => ({ folder, bufferKiB: 8192, ratePerSecond: 5000, loadSeconds: 1.5 });

  it('kill -9: what is readable is at most what had begun, and something is', async () => {
    const result = await killTrial(new Ctrecorder(), injected(17_500), killOptions());
    assert.equal(result.failure, undefined);
    assert.ok(result.begun > 0 && result.readable > 0 && result.readable <= result.begun);
    assert.equal(gateway.namespace.conntrackCount(), 0);
  });

  it('buffer matrix: a recorder that stands still loses what its socket cannot hold, and counts it', async () => {
    const disk = { folder, stall: () => Promise.reject(new Error('not asked for')) };
    const load = {
      name: '',
      events: 6000,
      ratePerSecond: 20_000,
      stall: { what: 'recorder', ms: 200 },
    } as const;
    const buffers = { rcvbufKiB: 64, ringSlots: 1024 };
    const result = await measureBuffers(load, buffers, gateway.namespace, gateway.injector, disk);
    assert.ok(result.arrived! > 0 && result.lost > 0);
    assert.equal(result.recorded + result.lost, 6000);
    assert.ok(result.queueHighWaterEvents <= 103); // 2 x 64 KiB / 1,280, and the one that filled it
    assert.equal(gateway.namespace.conntrackCount(), 0);
  });

  it('a disk that stalls: a write to it is done only when it goes on', async () => {
    const disk = StallingDisk.make(folder);
    try {
      const file = await open(path.join(disk.folder, 'file'), 'w');
      const order: string[] = [];
      const stalled = disk.stall(() => sleep(100)).then(() => order.push('goes on'));
      const written = file
        .write('x')
        .then(() => file.datasync())
        .then(() => order.push('written'));
      await Promise.all([stalled, written]);
      await file.close();
      assert.deepEqual(order, ['goes on', 'written']);
    } finally {
      disk.remove();
    }
  });
});
