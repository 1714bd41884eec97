/** Rights of a process, thread by thread, as the kernel tells them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

const CAP_NET_ADMIN = 1n << 12n;
const KEPT_IN_BOUNDING_SET = CAP_NET_ADMIN | (1n << 6n) | (1n << 7n);

export interface ThreadStatus {
  readonly [field: string]: string;
}

/** Fields of /proc/PID/task/TID/status of every thread, the main thread first, and its nice value. */
export function threadsOf(pid: number): ThreadStatus[] {
  return readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .sort((a, b) => Number(b === pid) - Number(a === pid) || a - b)
    .map((thread) => {
      const task = `/proc/${pid}/task/${thread}`;
      const lines = readFileSync(`${task}/status`, 'latin1').trim().split('\n');
      const fields = lines.map((line) => line.split(/:\s*/, 2).map((word) => word.trim()));
      const nice = readFileSync(`${task}/stat`, 'latin1').split(') ')[1].split(' ')[16];
      return { ...Object.fromEntries(fields), nice } as ThreadStatus;
    });
}

function mask(thread: ThreadStatus, field: string): bigint {
  return BigInt(`0x${thread[field]}`);
}

/**
 * Only the main thread and `laterThreads`, made by it after the switch, have CAP_NET_ADMIN; no thread has
 * more, or can get more. `groups` as in the status file.
 */
export function assertReduced(pid: number, uid: number, groups: string, laterThreads: number): void {
  const threads = threadsOf(pid);
  const [main, ...others] = threads;
  assert.ok(others.length >= 10, `${others.length} threads: V8, libuv's pool, workers`);
  for (const thread of threads) {
    assert.equal(thread.Uid, Array(4).fill(uid).join('\t'));
    assert.equal(thread.Gid, Array(4).fill(uid).join('\t'));
    assert.equal(thread.Groups, groups);
    assert.equal(thread.NoNewPrivs, '1');
    assert.equal(mask(thread, 'CapBnd') & ~KEPT_IN_BOUNDING_SET, 0n);
    assert.equal(mask(thread, 'CapInh'), 0n);
    assert.equal(mask(thread, 'CapAmb'), 0n);
    assert.equal(mask(thread, 'CapPrm'), mask(thread, 'CapEff'));
  }
  assert.equal(mask(main, 'CapEff'), CAP_NET_ADMIN);
  const withRights = others.filter((thread) => mask(thread, 'CapEff') !== 0n);
  assert.deepEqual(
    withRights.map((thread) => mask(thread, 'CapEff')),
    Array(laterThreads).fill(CAP_NET_ADMIN),
  );
}
