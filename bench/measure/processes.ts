/** A process and all it started, as /proc has them. What is gone counts as nothing. */
import { readdirSync, readFileSync } from 'node:fs';

const TICK_MS = 10;

/** The process and its descendants, those that run. */
export function processTree(pid: number): number[] {
  const children = tasks(pid).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`)
      .split(' ')
      .filter((word) => word !== '')
      .map(Number),
  );
  return [pid, ...children.flatMap(processTree)];
}

/** CPU time so far of processes and of the children they have waited for, in steps of 10 ms. */
export function cpuMs(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = read(`/proc/${pid}/stat`);
    // Fields 14 to 17: user and system time, its own and its children's. The name in parentheses may hold
    // spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    for (const field of fields.slice(11, 15)) ticks += Number(field);
  }
  return ticks * TICK_MS;
}

/** The most memory they ever had resident, added up; a process that has none yet (a zombie) counts 0. */
export function peakRssKiB(pids: readonly number[]): number {
  return pids.reduce(
    (sum, pid) => sum + Number(/^VmHWM:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0),
    0,
  );
}

function tasks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
