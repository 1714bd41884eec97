/** CPU time of the recorder's threads, as /proc has it. */
import { readdirSync, readFileSync } from 'node:fs';

/** `rest`: what Node runs beside: compiler, garbage collector, thread pool. */
export type ThreadRole = 'main' | 'parser' | 'writer' | 'table' | 'rest';

/** Milliseconds by role. */
export type ThreadCpu = Readonly<Record<ThreadRole, number>>;

interface Thread {
  readonly id: number;
  readonly cpuMs: number;
  readonly nice: number;
}

export type Threads = readonly Thread[];

/**
 * CPU time between two looks. Who is who Node does not say, but: the main thread has the process's number,
 * the table worker is the nicest; of the others the busiest is the parser, and the writer is started just
 * before it.
 */
export function cpuBetween(pid: number, before: Threads, after: Threads): ThreadCpu {
  const cpuBefore = new Map(before.map(({ id, cpuMs }) => [id, cpuMs]));
  const used = after.map(({ id, nice, cpuMs }) => ({ id, nice, ms: cpuMs - (cpuBefore.get(id) ?? 0) }));
  const nices = used.filter(({ id }) => id !== pid).map(({ nice }) => nice);
  const nicest = Math.max(...nices);
  // Without snapshots there is no table worker, and nobody is nicer than the rest.
  const tableNice = nicest > Math.min(...nices) ? nicest : Number.POSITIVE_INFINITY;
  const others = used.filter(({ id, nice }) => id !== pid && nice < tableNice);
  const parser = others.reduce((most, thread) => (thread.ms > most.ms ? thread : most));
  const writer = Math.max(...others.map(({ id }) => id).filter((id) => id < parser.id));
  const sum: Record<ThreadRole, number> = { main: 0, parser: 0, writer: 0, table: 0, rest: 0 };
  for (const { id, nice, ms } of used) {
    if (id === pid) sum.main += ms;
    else if (id === parser.id) sum.parser += ms;
    else if (id === writer) sum.writer += ms;
    else if (nice === tableNice) sum.table += ms;
    else sum.rest += ms;
  }
  return sum;
}

export function totalMs(cpu: ThreadCpu): number {
  return Object.values(cpu).reduce((sum, ms) => sum + ms, 0);
}

export function readThreads(pid: number): Threads {
  const threads: Thread[] = [];
  for (const name of readdirSync(`/proc/${pid}/task`)) {
    try {
      const folder = `/proc/${pid}/task/${name}`;
      const stat = readFileSync(`${folder}/stat`, 'latin1');
      threads.push({
        id: Number(name),
        // Nanoseconds on a CPU; utime and stime count in steps of 10 ms.
        cpuMs: Number.parseInt(readFileSync(`${folder}/schedstat`, 'latin1'), 10) / 1e6,
        nice: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]),
      });
    } catch {
      // It ended meanwhile.
    }
  }
  return threads;
}
