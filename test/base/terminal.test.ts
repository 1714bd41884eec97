/** What the door to the terminal lets through; test/cli/terminal.test.ts has commands print through it. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { printable, printableJson, printableStack } from '../../src/base/printable.js';
import { printLine, printLines, printText, writePrintable } from '../../src/base/terminal.js';

/** Escape sequences of 7 and 8 bits, writing direction, no width, ends of lines and paragraphs. */
const HOSTILE = '\u001b[2J\u0007\u009b31m\u202e\u2066\u200b\ufeff\u2028\u2029\u007f\nend';

function printed(print: (stream: Writable) => void): string {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  print(stream);
  return Buffer.concat(chunks).toString();
}

test('printable', () => {
  assert.equal(printable(HOSTILE), '?[2J??31m????????end');
  assert.equal(printable('Zürich 東京 \ud800'), 'Zürich 東京 ?');
  assert.deepEqual([printable(undefined), printable(5)], ['', '5']);
});

test('JSON loses nothing', () => {
  const texts = [HOSTILE, 'Zürich 東京 \ud800', '\u{e0001}'];
  const json = printableJson(`${JSON.stringify(texts)}\n`);
  assert.deepEqual(JSON.parse(json), texts);
  assert.doesNotMatch(json, /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u);
  assert.ok(json.includes('Zürich 東京') && json.endsWith('\n'));
});

test('a stack keeps its own line ends, and none of its message', () => {
  const [first, second, ...rest] = printableStack(new Error('a\nb\r\nc').stack!).split('\n');
  assert.equal(first, 'Error: a?b??c');
  for (const call of [second, ...rest]) assert.match(call, /^ {4}at /);
});

test('a line is one line, a text keeps its line ends, bytes are as they are', () => {
  assert.equal(
    printed((stream) => printLine(stream, 'a\u001bb\nc')),
    'a?b?c\n',
  );
  assert.equal(
    printed((stream) => printLines(stream, ['a\n', '\u202eb'])),
    'a?\n?b\n',
  );
  assert.equal(
    printed((stream) => printText(stream, 'a\u009b\r\nb\n')),
    'a??\nb\n',
  );
  assert.equal(
    printed((stream) => writePrintable(stream, Buffer.from('a\u001b\n'), () => {})),
    'a\u001b\n',
  );
});
