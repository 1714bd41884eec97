import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TableGuard } from '../../../src/record/main/table-guard.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';

const directory = makeFolder('guard');
after(() => removeFolder(directory));

/** What the guard switches to as the table fills and empties; a dot where it leaves things as they are. */
function switches(entriesMax: number, fillings: readonly number[]): string {
  let said = '.';
  const guard = new TableGuard({
    maxPercent: 80,
    directory,
    switchTo: (on, use) => {
      assert.equal(use.entriesMax, entriesMax);
      said = on ? '+' : '-';
    },
  });
  writeFileSync(join(directory, 'nf_conntrack_max'), `${entriesMax}\n`);
  return fillings
    .map((entries) => {
      said = '.';
      writeFileSync(join(directory, 'nf_conntrack_count'), `${entries}\n`);
      guard.look();
      return said;
    })
    .join('');
}

test('on while the table has room, off above the limit, on again well below it', () => {
  assert.equal(switches(1000, [0, 500, 800, 801, 900, 800, 700, 601, 600, 700, 800, 801]), '+..-....+..-');
});

test('off from the start when the table is full already', () => {
  assert.equal(switches(1000, [801, 700, 600]), '-.+');
  assert.equal(switches(1000, [700]), '+');
});

test('a table without a limit is never full', () => {
  assert.equal(switches(0, [5_000_000, 0]), '+.');
});
