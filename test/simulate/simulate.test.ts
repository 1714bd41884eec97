/**
 * Worlds by number: clocks that are set, disks that fill and fail, neighbours, kills and power cuts. A seed
 * that breaks a promise is played again by `node dist/test/simulate/main.js SEED 1`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '../soak/runs.js';
import { FAULTS, type Fault } from './fault-classes.js';
import { World } from './world.js';

process.env.TZ = 'UTC';

const SEEDS = 500;

test('no promise is broken in any world, and every fault has been there', async () => {
  const seen = new Set<Fault>();
  for (let seed = 1; seed <= runs(SEEDS); seed++) {
    const account = await new World(seed).live().catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    });
    for (const fault of account.faults) seen.add(fault);
  }
  assert.deepEqual([...seen].sort(), [...FAULTS].sort());
});
