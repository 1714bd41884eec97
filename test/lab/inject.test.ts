/**
 * Injected entries must be what the plan says: read back through conntrack-tools, an implementation that is
 * not ours.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FloodPlan, floodConnection } from './flood.js';
import { Injector } from './inject.js';
import { labObstacle, type Namespace, withNamespaces } from './namespace.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

/** The table as sorted lines of both tuples, and the zone. */
function table(namespace: Namespace, family: 4 | 6): string[] {
  const text = namespace.run('conntrack', ['-L', '-f', `ipv${family}`]);
  return text
    .trim()
    .split('\n')
    .map((line) =>
      [...line.matchAll(/\b(?:src|dst|sport|dport|zone)=(\S+)/g)].map((field) => field[1]).join(' '),
    )
    .sort();
}

function expected(plan: FloodPlan): string[] {
  return Array.from({ length: plan.count }, (_, i) => {
    const { orig, reply, zone } = floodConnection(plan, (plan.first ?? 0) + i);
    const words = [orig, reply].flatMap(({ src, dst, sport, dport }) => [src, dst, sport, dport]);
    return (zone === undefined ? words : [...words, zone]).join(' ');
  }).sort();
}

describe('injected entries', { skip }, () => {
  const plans: Record<string, FloodPlan> = {
    'IPv4 TCP': { count: 1000 },
    'IPv4 UDP in a zone': { count: 300, proto: 17, zone: 7 },
    'IPv6 TCP': { count: 300, family: 6, first: 123_456 },
    'IPv6 UDP in a zone': { count: 300, family: 6, proto: 17, zone: 65_535 },
  };
  for (const [name, plan] of Object.entries(plans)) {
    it(`are the plan's and can be removed one by one: ${name}`, async () => {
      await withNamespaces(['inject'], async (namespace) => {
        const injector = await Injector.start(namespace);
        await injector.create(plan);
        assert.deepEqual(table(namespace, plan.family ?? 4), expected(plan));
        await injector.remove({ ...plan, count: plan.count - 1 });
        assert.equal(namespace.conntrackCount(), 1);
        await injector.flush();
        assert.equal(namespace.conntrackCount(), 0);
        await injector.stop();
      });
    });
  }

  it('that the kernel refuses are an error that names the first', async () => {
    await withNamespaces(['inject'], async (namespace) => {
      const injector = await Injector.start(namespace);
      await injector.create({ count: 10, first: 500 });
      await assert.rejects(injector.create({ count: 510 }), /10 refused, the first at index 500: EEXIST/);
      await assert.rejects(
        injector.remove({ count: 1, first: 9_999 }),
        /1 refused, the first at index 9999: ENOENT/,
      );
      await injector.stop();
    });
  });

  it('arrive at the rate that was asked for, not faster', async () => {
    await withNamespaces(['inject'], async (namespace) => {
      const injector = await Injector.start(namespace);
      const { seconds } = await injector.create({ count: 500 }, 1000);
      assert.ok(seconds >= 0.499, `${seconds} s`);
      await injector.stop();
    });
  });

  it('have tuples of their own, each unique in both directions', () => {
    for (const family of [4, 6] as const) {
      const plan: FloodPlan = { count: 200_000, family };
      const originals = new Set<string>();
      const replies = new Set<string>();
      for (let i = 0; i < plan.count; i++) {
        const { orig, reply } = floodConnection(plan, i);
        originals.add(Object.values(orig).join(' '));
        replies.add(Object.values(reply).join(' '));
      }
      assert.equal(originals.size, plan.count);
      assert.equal(replies.size, plan.count);
    }
  });
});
