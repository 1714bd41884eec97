import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { nodeProblem } from '../../src/cli/node-version.js';

const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };

test('a version of Node runs the program or is refused, at the bounds that package.json gives to npm', () => {
  const bounds = [...engines.node.matchAll(/(\d+)\.(\d+)/g)].map(([, major, minor]) => [+major, +minor]);
  assert.equal(bounds.length, 2);
  for (const [major, minor] of bounds) {
    assert.equal(nodeProblem(`${major}.${minor}.0`), undefined);
    assert.match(
      nodeProblem(`${major}.${minor - 1}.9`)!,
      RegExp(
        `^ctrecorder needs Node\\.js ${major}\\.${minor} or later; this is v${major}\\.${minor - 1}\\.9: install `,
      ),
    );
  }
  assert.match(nodeProblem('21.7.3')!, /needs Node\.js 22\.2 or later; this is v21\.7\.3:/);
  assert.equal(nodeProblem('24.0.0'), undefined);
  assert.equal(nodeProblem('100.1.0'), undefined);
  assert.equal(nodeProblem(process.versions.node), undefined);
});
