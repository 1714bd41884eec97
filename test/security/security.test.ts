/** SECURITY.md promises nothing without a test. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** Titles that are put together, as the tests of directory.test.ts are, match with their parts in any way. */
function titlesOf(file: string): RegExp[] {
  const source = readFileSync(file, 'utf8');
  return [...source.matchAll(/^\s*(?:test|it)\(\s*(['`])(.*?)\1,/gms)].map(([, , title]) => {
    const parts = title.replaceAll("\\'", "'").split(/\$\{\w+\}/);
    return new RegExp(`^${parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.+')}$`);
  });
}

test('every line of SECURITY.md names a test that is there', () => {
  const rows = readFileSync('SECURITY.md', 'utf8')
    .split('\n')
    .filter((line) => /^\| /.test(line) && !/^\| (?:---|cannot \||promise \|)/.test(line));
  assert.ok(rows.length > 20);
  for (const row of rows) {
    const [, file, title] = /\| `(test\/\S+\.test\.ts)`: (.+) \|$/.exec(row) ?? [];
    assert.ok(file, row);
    assert.ok(
      titlesOf(file).some((known) => known.test(title)),
      `${file} has no test "${title}"`,
    );
  }
});
