/** FORMAT.md and the code say the same. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ColumnDeclaration, columnEntries } from '../../../src/event/columns.js';
import { FILTER_MAX_BYTES } from '../../../src/log/format/address-filter.js';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MARKER,
  BlockField,
  BlockType,
  FILE_MAGIC,
  FORMAT_MAJOR,
  FORMAT_MINOR,
  MAX_PAYLOAD_BYTES,
} from '../../../src/log/format/format.js';
import { INDEX_EVERY_BLOCKS } from '../../../src/log/format/index-block.js';
import { ClassShift, Section } from '../../../src/log/format/section-ids.js';
import { repositoryPath } from '../../lab/repository.js';

const page = readFileSync(repositoryPath('src/log/format/FORMAT.md'), 'utf8');

/** Cells of every table row below the line that starts with `heading`, up to the next heading. */
function tableBelow(heading: string): string[][] {
  const from = page.indexOf(`\n${heading}`);
  assert.notEqual(from, -1, `FORMAT.md has no "${heading}"`);
  const section = page.slice(from + 1).split(/\n#/, 2)[0];
  return section
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.startsWith('| ---'))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test('version, magic and limits', () => {
  assert.ok(page.startsWith(`# File format ${FORMAT_MAJOR}.${FORMAT_MINOR}\n`));
  const hex = (bytes: Uint8Array) =>
    Buffer.from(bytes)
      .toString('hex')
      .replace(/..(?=.)/g, '$& ');
  assert.ok(page.includes(`magic \`${hex(FILE_MAGIC)}\``));
  assert.ok(page.includes(`\`${hex(BLOCK_MARKER)}\``));
  assert.ok(page.includes(`at most ${MAX_PAYLOAD_BYTES}`));
  assert.ok(page.includes(`A header of ${BLOCK_HEADER_BYTES} bytes`));
  assert.ok(page.includes(`every ${INDEX_EVERY_BLOCKS} data blocks`));
  assert.ok(page.includes(`to\n${FILTER_MAX_BYTES} bytes`));
});

test('offsets in a block header', () => {
  const documented = Object.fromEntries(
    tableBelow('## Block').map(([offset, , field]) => [field, Number(offset)]),
  );
  assert.deepEqual(documented, { ...BlockField });
});

test('fields of a block header follow each other without a hole', () => {
  let end = 0;
  for (const [offset, bytes] of tableBelow('## Block')) {
    assert.equal(Number(offset), end);
    end += Number(bytes);
  }
  assert.equal(end, BLOCK_HEADER_BYTES);
});

test('block types', () => {
  const documented = Object.fromEntries(tableBelow('### Types').map(([type, name]) => [name, Number(type)]));
  assert.deepEqual(documented, { ...BlockType });
});

test('sections', () => {
  const documented: Record<string, number> = {};
  for (const [ids, names] of tableBelow('## Sections')) {
    const split = names.split(', ');
    for (const [i, id] of ids.split(', ').entries()) documented[split[i]] = Number(id);
  }
  assert.deepEqual(documented, { ...Section });
});

test('bits of a class word', () => {
  const text = page.slice(page.indexOf('Class word:'));
  for (const [name, shift] of Object.entries(ClassShift))
    assert.match(text, new RegExp(`[ ;]\\(?${shift}[- ]`), name);
});

test('columns', () => {
  const documented = tableBelow('## Columns');
  assert.deepEqual(
    documented.map(([name]) => name),
    columnEntries.map(([name]) => name),
  );
  for (const [i, [name, column]] of columnEntries.entries()) {
    const [, holds, unit, fallback, place] = documented[i];
    const { what, optional } = column;
    assert.deepEqual([holds, unit, fallback], [what, column.unit ?? '', optional ? '0' : ''], name);
    // Columns that several sections hold together are described in words.
    const declared = placeOf(column);
    if (declared === undefined) assert.match(place, /section \d/, name);
    else assert.equal(place, declared, name);
  }
});

function placeOf({ classBits, section }: ColumnDeclaration): string | undefined {
  if (classBits !== undefined) {
    const { word, shift, bits } = classBits;
    return `class, word ${word}, ${bits === 1 ? `bit ${shift}` : `bits ${shift}-${shift + bits - 1}`}`;
  }
  if (section === undefined) return undefined;
  return `section ${section.id}${'rowBit' in section ? `, rows with class bit ${section.rowBit}` : ''}`;
}
