/** The end of the program: certain, whatever V8's background threads do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./leave-process.js', import.meta.url));
const TIMES = 30;
/** A hang is for ever; on a busy machine the process takes a second. */
const HANG_MS = 30_000;

test(`ends ${TIMES} times of ${TIMES} while functions are compiled and the heap is at its limit`, () => {
  for (let i = 0; i < TIMES; i++) {
    const { status, signal } = spawnSync(process.execPath, [program], { timeout: HANG_MS });
    assert.deepEqual({ status, signal }, { status: 7, signal: null });
  }
});
