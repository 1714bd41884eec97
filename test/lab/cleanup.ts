/**
 * What the lab makes outlives the process that made it (namespaces, sysctls, children). So everything made is
 * registered here and undone when the process ends, however it ends: normally, by an uncaught error, by a
 * signal. Only SIGKILL escapes; then the next run recognises the leftovers by the dead owner in their names
 * (see `owner`).
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

type Undo = () => void;

const undos = new Set<Undo>();
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Run `undo` when the process ends, newest first, unless the returned function is called before. It must be
 * synchronous.
 */
export function onExit(undo: Undo): () => void {
  if (undos.size === 0) watch();
  undos.add(undo);
  return () => {
    undos.delete(undo);
    if (undos.size === 0) unwatch();
  };
}

/** Have a child killed when this process ends before it. */
export function endWithUs(child: ChildProcess): void {
  const forget = onExit(() => child.kill('SIGKILL'));
  child.once('exit', forget);
  child.once('error', forget);
}

function undoAll(): void {
  for (const undo of [...undos].reverse()) {
    undos.delete(undo);
    try {
      undo();
    } catch (error) {
      console.error(`lab: could not clean up: ${(error as Error).message}`);
    }
  }
}

/** Clean up, then die of the signal as if nobody had caught it, so that the parent sees the true cause. */
function undoAndDie(signal: NodeJS.Signals): void {
  undoAll();
  unwatch();
  process.kill(process.pid, signal);
}

/** Node runs `exit` listeners for process.exit, for a normal end and for uncaught errors alike. */
function watch(): void {
  process.on('exit', undoAll);
  for (const signal of endingSignals) process.on(signal, undoAndDie);
}

function unwatch(): void {
  process.off('exit', undoAll);
  for (const signal of endingSignals) process.off(signal, undoAndDie);
}

/**
 * This process in a form that is never used again on this boot: pid and start time (field 22 of
 * /proc/PID/stat, in ticks).
 */
export const owner = `${process.pid}.${startTicks(process.pid)}`;

/** Whether the process an `owner` string names is still running. */
export function isAlive(ownerName: string): boolean {
  const [pid, ticks] = ownerName.split('.');
  return startTicks(Number(pid)) === ticks;
}

function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name in parentheses may hold spaces: count from its end, where field 3 follows.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
