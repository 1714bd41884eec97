import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BlockType } from '../../../src/log/format/format.js';
import type { ParsedFrame } from '../../../src/log/format/frame.js';
import { BlockOrder } from '../../../src/log/read/block-order.js';
import { NumberRanges } from '../../../src/log/read/number-ranges.js';

function frame(sequence: number, type: number = BlockType.events, runId = 1n): ParsedFrame {
  const sizes = { headerBytes: 96, storedBytes: 0, rawBytes: 0, count: 0, payloadCrc: 0 };
  return { type, codec: 0, runId, sequence, minTimeUs: 0, maxTimeUs: 0, chain: new Uint8Array(32), ...sizes };
}

test('ranges hold what a set holds', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 })), (numbers) => {
      const ranges = new NumberRanges();
      const set = new Set<number>();
      for (const number of numbers) {
        assert.equal(ranges.add(number), !set.has(number));
        set.add(number);
      }
      const firsts = [...set].filter((number) => !set.has(number - 1));
      assert.equal(ranges.rangeCount, firsts.length);
    }),
  );
});

test('numbers that follow each other are in order, whichever comes first', () => {
  const order = new BlockOrder();
  for (const sequence of [7, 8, 9])
    assert.deepEqual(order.place(frame(sequence)), { isNew: true, fault: undefined });
  assert.equal(order.place(frame(9, BlockType.end)).fault, undefined);
  assert.equal(order.finish(frame(9, BlockType.end), 3), undefined);
  assert.equal(order.finish(frame(9, BlockType.end), 5), 'blocks 5 to 6 are missing');
});

test('what is missing is said once, also when only a damaged block or the index tells', () => {
  const order = new BlockOrder();
  order.place(frame(1));
  assert.equal(order.pass(frame(3)), 'block 2 is missing');
  assert.equal(order.place(frame(4)).fault, undefined);
  assert.equal(order.place(frame(6, BlockType.index)).fault, 'blocks 5 to 6 are missing');
  assert.equal(order.place(frame(6, BlockType.end)).fault, undefined);
  assert.deepEqual(order.place(frame(3)), {
    isNew: true,
    fault: 'block 3 is out of place, after block 4',
  });
  assert.equal(order.place(frame(3)).isNew, false);
});

test('blocks of another run are told apart; a type of a later version counts when its number is new', () => {
  const order = new BlockOrder();
  order.place(frame(0, BlockType.header));
  order.place(frame(1));
  const foreign = order.place(frame(1, BlockType.events, 2n));
  assert.deepEqual(foreign, { isNew: true, fault: 'block 1 belongs to another run of the recorder' });
  assert.equal(order.place(frame(2, 77)).fault, undefined);
  assert.equal(order.place(frame(2, 78)).fault, undefined);
  assert.equal(order.place(frame(3)).fault, undefined);
});

test('holes and runs without end: memory is bounded, and no block is taken for another', () => {
  const order = new BlockOrder();
  for (let sequence = 1; sequence < 400_000; sequence += 2) assert.ok(order.place(frame(sequence)).isNew);
  assert.equal(order.place(frame(399_999)).isNew, false);
  for (let run = 2n; run < 100n; run++) assert.ok(order.place(frame(1, BlockType.events, run)).isNew);
});
