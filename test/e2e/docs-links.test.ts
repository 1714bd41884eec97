/** The pages of the repository name only what is there: files, headings, targets of make. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { repositoryPath } from '../lab/repository.js';

const NOT_OURS = /^(?:node_modules|dist|\.git)(?:\/|$)/;
/** A folder of ours, and a path in it that ends in an extension. */
const NAMED_FILE = /`((?:src|workers|test|bench|docs|contrib)\/[\w./-]+\.\w+)`/g;
const LINK = /\]\(([^)\s]+)\)/g;

const root = repositoryPath('.');
const pages = new Map(pagesIn('').map((page) => [page, readFileSync(join(root, page), 'utf8')]));
const text = (page: string): string => pages.get(page)!.replace(/^ {4}.*$/gm, '');

function pagesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (NOT_OURS.test(path)) return [];
    if (entry.isDirectory()) return pagesIn(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** As GitHub makes them: lower case, without punctuation, a hyphen for each space. */
function anchorsOf(page: string): Set<string> {
  const headings = text(page).match(/^#+ .*$/gm) ?? [];
  return new Set(
    headings.map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function wrongIn(page: string, link: string): string | undefined {
  const [path, anchor] = link.split('#');
  const target = path === '' ? page : normalize(join(dirname(page), path));
  if (target.startsWith('..')) return 'leads out of the repository';
  if (!existsSync(join(root, target))) return 'there is no such file';
  if (anchor === undefined) return undefined;
  if (!pages.has(target)) return 'has an anchor, and is not a page';
  return anchorsOf(target).has(anchor) ? undefined : 'there is no such heading';
}

test('there are pages, and links in them', () => {
  for (const page of ['README.md', 'ARCHITECTURE.md', 'docs/performance.md', 'bench/HISTORY.md'])
    assert.ok(pages.has(page), page);
  assert.ok([...pages.keys()].flatMap((page) => [...text(page).matchAll(LINK)]).length > 20);
});

test('every relative link leads to a file, and to a heading where it names one', () => {
  const wrong = [...pages.keys()].flatMap((page) =>
    [...text(page).matchAll(LINK)]
      .map(([, link]) => link)
      .filter((link) => !/^[a-z]+:/.test(link))
      .map((link) => ({ page, link, what: wrongIn(page, link) }))
      .filter(({ what }) => what !== undefined),
  );
  assert.deepEqual(wrong, []);
});

test('every file that a page names is there', () => {
  const wrong = [...pages].flatMap(([page, content]) =>
    [...content.matchAll(NAMED_FILE)]
      .map(([, file]) => file)
      .filter((file) => !existsSync(join(root, file)))
      .map((file) => ({ page, file })),
  );
  assert.deepEqual(wrong, []);
});

test('every `make X` is a target of the Makefile', () => {
  const targets = new Set(readFileSync(join(root, 'Makefile'), 'utf8').match(/^[a-z][a-z-]*(?=:)/gm));
  assert.ok(targets.has('demo') && targets.has('test'));
  const wrong = [...pages].flatMap(([page, content]) =>
    [...content.matchAll(/(?:^ {4}|`)make\s+([a-z][a-z-]*)/gm)]
      .map(([, target]) => target)
      .filter((target) => !targets.has(target))
      .map((target) => ({ page, target })),
  );
  assert.deepEqual(wrong, []);
});
