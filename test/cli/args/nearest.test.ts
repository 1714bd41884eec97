import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean } from '../../../src/cli/args/nearest.js';

const WORDS = ['capture', 'list', 'test', 'ftp', 'http', 'https', 'keep-days', 'keep-bytes'];

const answers: readonly [word: string, meant: string | undefined][] = [
  ['lst', 'list'],
  ['lits', 'list'],
  ['LIST', 'list'],
  ['htp', 'http'],
  ['htpps', 'https'],
  ['cap', 'capture'],
  ['keep', 'keep-days'],
  ['keep-byte', 'keep-bytes'],
  ['c', undefined],
  ['', undefined],
  ['record', undefined],
];

for (const [word, meant] of answers)
  test(`${word || 'nothing'}: ${meant ?? 'no idea'}`, () =>
    assert.equal(didYouMean(word, WORDS), meant === undefined ? undefined : `did you mean ${meant}?`));

test('dashes stand before what was meant', () =>
  assert.equal(didYouMean('keep-dais', WORDS, '--'), 'did you mean --keep-days?'));
