import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_FILTER_PROTOCOLS, protocolFilter } from '../../../src/record/netlink/protocol-filter.js';

/** Rows of code, jt, jf, k. */
function instructions(program: Uint8Array): number[][] {
  const view = new DataView(program.buffer);
  return Array.from({ length: program.length / 8 }, (_, i) => [
    view.getUint16(i * 8, true),
    view.getUint8(i * 8 + 2),
    view.getUint8(i * 8 + 3),
    view.getUint32(i * 8 + 4, true),
  ]);
}

test('TCP and SCTP: the program that was checked with floods of UDP and TCP entries', () => {
  assert.deepEqual(instructions(protocolFilter([6, 132])!), [
    [0x30, 0, 0, 5],
    [0x15, 0, 15, 1],
    [0x00, 0, 0, 20],
    [0x01, 0, 0, 1],
    [0x20, 0, 0, 0xfffff00c],
    [0x15, 11, 0, 0],
    [0x01, 0, 0, 2],
    [0x20, 0, 0, 0xfffff010],
    [0x15, 8, 0, 0],
    [0x01, 0, 0, 1],
    [0x20, 0, 0, 0xfffff010],
    [0x15, 5, 0, 0],
    [0x07, 0, 0, 0],
    [0x50, 0, 0, 4],
    [0x15, 2, 0, 6],
    [0x15, 1, 0, 132],
    [0x06, 0, 0, 0],
    [0x06, 0, 0, 0xffffffff],
  ]);
});

test('any number of protocols: every jump that is taken ends at accept', () => {
  for (const count of [1, 2, 3, 17, MAX_FILTER_PROTOCOLS]) {
    const program = instructions(protocolFilter(Array.from({ length: count }, (_, i) => i))!);
    const accept = program.length - 1;
    for (const [at, [code, jumpTrue, jumpFalse]] of program.entries()) {
      if (code !== 0x15) continue;
      assert.equal(
        at + 1 + (at === 1 ? jumpFalse : jumpTrue),
        accept,
        `${count} protocols, instruction ${at}`,
      );
    }
    assert.deepEqual(
      program.slice(14, -2).map(([, , , k]) => k),
      Array.from({ length: count }, (_, i) => i),
    );
  }
});

test('what the kernel cannot filter is left to the parser', () => {
  assert.equal(protocolFilter('all'), undefined);
  assert.notEqual(protocolFilter(Array.from({ length: MAX_FILTER_PROTOCOLS }, (_, i) => i)), undefined);
  assert.equal(protocolFilter(Array.from({ length: MAX_FILTER_PROTOCOLS + 1 }, (_, i) => i)), undefined);
});
