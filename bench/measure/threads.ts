/** CPU time of the recorder's threads, as /proc has it. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** `rest`: what Node runs beside: compiler, garbage collector, thread pool. */
export type ThreadRole = 'main' | 'parser' | 'writer' | 'table' | 'rest';

/** Milliseconds by role. */
export type ThreadCpu = Readonly<Record<ThreadRole, number>>;

interface Thread {
  readonly id: number;
  readonly cpuMs: number;
  readonly switches: number;
  readonly nice: number;
}

/** They wake up every second at least. */
const OBSERVED_MS = 4000;

const NO_CPU: ThreadCpu = { main: 0, parser: 0, writer: 0, table: 0, rest: 0 };

/**
 * Who is who Node does not say, but: the main thread has the process's number, the table worker is nice, and of the others the two
 * that wake up most often while there is nothing to do are the writer, which is started first, and the parser. Ask once the recorder
 * has rested a while.
 */
export async function threadRoles(pid: number): Promise<Map<number, ThreadRole>> {
  const before = new Map(readThreads(pid).map(({ id, switches }) => [id, switches]));
  await sleep(OBSERVED_MS);
  const threads = readThreads(pid);
  const wakeUps = ({ id, switches }: Thread) => switches - (before.get(id) ?? 0);
  const mainNice = threads.find(({ id }) => id === pid)!.nice;
  const roles = new Map<number, ThreadRole>([[pid, 'main']]);
  for (const { id, nice } of threads) if (nice > mainNice) roles.set(id, 'table');
  const workers = threads
    .filter(({ id }) => !roles.has(id))
    .sort((a, b) => wakeUps(b) - wakeUps(a))
    .slice(0, 2)
    .sort((a, b) => a.id - b.id);
  roles.set(workers[0].id, 'writer').set(workers[1].id, 'parser');
  return roles;
}

/** So far, to the microsecond. */
export function threadCpu(pid: number, roles: ReadonlyMap<number, ThreadRole>): ThreadCpu {
  const sum = { ...NO_CPU };
  for (const { id, cpuMs } of readThreads(pid)) sum[roles.get(id) ?? 'rest'] += cpuMs;
  return sum;
}

export function cpuBetween(before: ThreadCpu, after: ThreadCpu): ThreadCpu {
  const roles = Object.keys(NO_CPU) as ThreadRole[];
  return Object.fromEntries(roles.map((role) => [role, after[role] - before[role]])) as ThreadCpu;
}

export function totalMs(cpu: ThreadCpu): number {
  return Object.values(cpu).reduce((sum, ms) => sum + ms, 0);
}

function readThreads(pid: number): Thread[] {
  const threads: Thread[] = [];
  for (const name of readdirSync(`/proc/${pid}/task`)) {
    try {
      const folder = `/proc/${pid}/task/${name}`;
      const stat = readFileSync(`${folder}/stat`, 'latin1');
      threads.push({
        id: Number(name),
        // Nanoseconds on a CPU; utime and stime count in steps of 10 ms.
        cpuMs: Number.parseInt(readFileSync(`${folder}/schedstat`, 'latin1'), 10) / 1e6,
        switches: Number(
          /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`${folder}/status`, 'latin1'))?.[1],
        ),
        nice: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]),
      });
    } catch {
      // It ended meanwhile.
    }
  }
  return threads;
}
