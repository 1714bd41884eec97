/**
 * A process that ends while V8 compiles behind it and its heap is at its limit: one in some of them hung
 * without a collection.
 */
import { leaveNow } from '../../src/cli/leave.js';

const FUNCTIONS = 60;
const MIB = 1 << 20;
/** Typed arrays count for the limit of the heap. */
const EXTERNAL_MIB = 30;

/**
 * A function of its own with constants of its own: to compile it V8's background thread allocates numbers on
 * the heap.
 */
function make(k: number): (n: number) => number {
  const source = `const o = { a: ${k}.5, b: 2.25, c: 1.125 };
    return (n) => { let sum = 0; for (let i = 0; i < n; i++) sum += o.a * i + o.b - o.c; return sum; };`;
  return new Function(source)() as (n: number) => number;
}

const functions = Array.from({ length: FUNCTIONS }, (_, k) => make(k));
const run = (rounds: number, n: number) => {
  for (let round = 0; round < rounds; round++) for (const one of functions) one(n);
};
run(12, 100);
const external = Array.from({ length: EXTERNAL_MIB }, () => new Uint8Array(MIB));
run(6, 300);
process.exitCode = external.length === EXTERNAL_MIB ? 7 : 1;
leaveNow(process.argv[2] !== 'carelessly');
