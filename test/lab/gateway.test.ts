/**
 * The gateway's traffic must be what it says: every connection it answers is in the kernel's table, and no
 * other is.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Connection, connectionText } from './connection.js';
import { toolTable } from './conntrack-tool.js';
import { Gateway } from './gateway.js';
import { labObstacle } from './namespace.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

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
      assert.deepEqual(toolTable(lab.gateway).sort(), made.map(connectionText).sort());
      await lab.endAll();
      assert.equal(lab.gateway.conntrackCount(), 0);
    } finally {
      lab.remove();
    }
  });
});
