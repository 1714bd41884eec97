/**
 * `kill -9` at any moment: what was acknowledged is there after the next start, and nothing is there twice
 * (`make soak`: 200 times).
 */
import { test } from 'node:test';
import { labObstacle } from '../lab/namespace.js';
import { assertUnharmed, killAgainAndAgain, killText } from './killed.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

test('killed 25 times under load and rotations', { skip }, async (t) => {
  const accounts = await killAgainAndAgain(25);
  t.diagnostic(killText(accounts));
  assertUnharmed(accounts);
});
