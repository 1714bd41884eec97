/** The gateway's traffic must be what it says: every connection it answers is in the kernel's table, and no other is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Connection, connectionText, endpoint } from './connection.js';
import { Gateway } from './gateway.js';
import { labObstacle } from './namespace.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

/** The gateway's table through conntrack-tools, as `connectionText`s. */
function table(lab: Gateway): string[] {
  return ['ipv4', 'ipv6'].flatMap((family) =>
    lab.gateway
      .run('conntrack', ['-L', '-f', family])
      .trim()
      .split('\n')
      .map((line) => {
        const fields = [...line.matchAll(/\b(src|dst|sport|dport|type|code|id)=(\S+)/g)].map(
          ([, name, value]) => [name, value],
        );
        const half = fields.length / 2;
        return [fields.slice(0, half), fields.slice(half)].map(tuple).join(' ');
      }),
  );
}

function tuple(fields: string[][]): string {
  const { src, dst, sport, dport, type, code, id } = Object.fromEntries(fields);
  if (type !== undefined) return `src=${src} dst=${dst} type=${type} code=${code} id=${id}`;
  return `src=${endpoint(src, sport)} dst=${endpoint(dst, dport)}`;
}

describe('the gateway', { skip }, () => {
  it('carries exactly the connections that its traffic answers', async () => {
    const lab = await Gateway.start();
    try {
      const made: Connection[] = [];
      for (const family of [4, 6] as const) {
        made.push(...(await lab.fetch(50, { family })));
        made.push(...(await lab.fetch(5, { family, client: 1 })));
        made.push(...(await lab.udpAnswered(20, { family })));
        made.push(...(await lab.udpUnanswered(150, { family, client: 1 })));
        made.push(...lab.ping(2, { family }));
        made.push(...(await lab.fetchForwarded(10, { family })));
      }
      assert.deepEqual(table(lab).sort(), made.map(connectionText).sort());
      await lab.endAll();
      assert.equal(lab.gateway.conntrackCount(), 0);
    } finally {
      lab.remove();
    }
  });
});
