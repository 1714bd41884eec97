/** The lab must not litter: what it made is gone however its process ends. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { raiseConntrackLimits } from './limits.js';
import { labObstacle, type Namespace, removeLeftovers, withNamespaces } from './namespace.js';

const CONNTRACK_MAX = '/proc/sys/net/netfilter/nf_conntrack_max';
const obstacle = process.env.CI === 'true' ? undefined : labObstacle();
const skip = obstacle ?? false;

const exists = (name: string) => existsSync(`/run/netns/${name}`);
const conntrackMax = () => Number(readFileSync(CONNTRACK_MAX, 'latin1'));
const url = (module: string) => JSON.stringify(new URL(module, import.meta.url).href);

/** A process that makes a namespace with a child in it, holds a raised limit, says both, and waits. */
async function start(maximum: number): Promise<{ child: ChildProcess; namespace: string; insider: number }> {
  const script = `
    const { Namespace } = await import(${url('namespace.js')});
    const { raiseConntrackLimits } = await import(${url('limits.js')});
    raiseConntrackLimits(${maximum});
    const namespace = new Namespace('litter');
    const insider = namespace.spawn('sleep', ['1000'], { stdio: 'ignore' });
    process.stdin.on('data', () => { throw new Error('as asked'); });
    insider.once('spawn', () => console.log(namespace.name, insider.pid));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const [line] = await once(child.stdout!, 'data');
  const [namespace, insider] = String(line).trim().split(' ');
  return { child, namespace, insider: Number(insider) };
}

const isRunning = (pid: number) => {
  try {
    // A killed child whose parent died with it may wait for init to reap it: that is as dead as it gets.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
};

async function untilGone(pid: number): Promise<void> {
  while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('namespaces of the lab', { skip }, () => {
  it('are removed after use, also when the use fails', async () => {
    let name = '';
    await assert.rejects(
      withNamespaces(['a', 'b'], (a, b) => {
        name = a.name;
        assert.ok(exists(a.name) && exists(b.name));
        throw new Error('use failed');
      }),
      /use failed/,
    );
    assert.ok(!exists(name));
  });

  for (const end of ['SIGTERM', 'SIGINT', 'uncaught error'] as const) {
    it(`are removed with their processes after ${end}, and the limits put back`, async () => {
      const before = conntrackMax();
      const { child, namespace, insider } = await start(before + 1000);
      assert.ok(exists(namespace) && isRunning(insider));
      assert.equal(conntrackMax(), before + 1000);
      const ended = once(child, 'exit');
      if (end === 'uncaught error') child.stdin!.write('now');
      else child.kill(end);
      const [code, signal] = await ended;
      assert.deepEqual([code, signal], end === 'uncaught error' ? [1, null] : [null, end]);
      assert.ok(!exists(namespace));
      await untilGone(insider);
      assert.equal(conntrackMax(), before);
    });
  }

  it('of a killed process are recognised and removed by the next, those of a living one are not', async () => {
    const before = conntrackMax();
    const dead = await start(before + 1000);
    const living = await start(before + 2000);
    try {
      const ended = once(dead.child, 'exit');
      dead.child.kill('SIGKILL');
      await ended;
      assert.ok(exists(dead.namespace));
      assert.ok(removeLeftovers().includes(dead.namespace));
      assert.ok(!exists(dead.namespace) && exists(living.namespace));
      await untilGone(dead.insider);
      assert.equal(conntrackMax(), before + 2000);
    } finally {
      const ended = once(living.child, 'exit');
      living.child.kill('SIGTERM');
      await ended;
    }
    assert.equal(conntrackMax(), before);
  });
});

describe('raised conntrack limits', { skip }, () => {
  it('are never lowered, and put back when the last holder lets go', () => {
    const before = conntrackMax();
    const first = raiseConntrackLimits(before + 1000);
    const second = raiseConntrackLimits(before + 500);
    assert.equal(conntrackMax(), before + 1000);
    first();
    first();
    assert.equal(conntrackMax(), before + 1000);
    second();
    assert.equal(conntrackMax(), before);
  });
});

describe('a sysctl of a namespace', { skip }, () => {
  it('is read and set inside only', async () => {
    await withNamespaces(['sysctl', 'other'], (inside: Namespace, other: Namespace) => {
      inside.conntrackSysctls({ acct: 1, timestamp: 1, events: 1 });
      assert.equal(inside.sysctl('net.netfilter.nf_conntrack_events'), '1');
      assert.equal(inside.sysctl('net.netfilter.nf_conntrack_acct'), '1');
      assert.equal(other.sysctl('net.netfilter.nf_conntrack_events'), '2');
    });
  });
});
