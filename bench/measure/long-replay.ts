/** A replay of any length: do CPU per event and memory stay what they were? */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ObservedProcess, recorderEntry } from '../../test/lab/process.js';

export interface ReplayPart {
  /** Recorded by then. */
  readonly events: number;
  readonly seconds: number;
  readonly cpuNsPerEvent: number;
  readonly kernelNsPerEvent: number;
  /** Smallest and largest of the part. */
  readonly rssMiBMin: number;
  readonly rssMiBMax: number;
}

export interface LongReplay {
  readonly events: number;
  readonly recorded: number;
  readonly bytesPerEvent: number;
  readonly parts: readonly ReplayPart[];
}

interface Look {
  readonly atMs: number;
  readonly events: number;
  readonly userMs: number;
  readonly kernelMs: number;
  readonly rssMiB: number;
}

const PARTS = 10;
const LOOK_MS = 250;
const ROTATE_MINUTES = 15;

const loopEntry = fileURLToPath(new URL('../generate/loop-main.js', import.meta.url));

/** The recorder's files go as they are finished, but for their bytes. */
export async function measureLongReplay(events: number, folder: string): Promise<LongReplay> {
  const options = [
    '-f',
    path.join(folder, 'replay-%Y%m%d-%H%M.ct'),
    '-t',
    String(ROTATE_MINUTES),
    '-p',
    'all',
  ];
  const recorder = [process.execPath, recorderEntry, '-C', '--progress-fd', '3', ...options, '--replay', '-'];
  const feed = `exec ${process.execPath} ${loopEntry} --events ${events}`;
  const pipe = `exec "$@" < <(${feed} 3>&-)`;
  const observed = await ObservedProcess.start(undefined, 'bash', ['-c', pipe, 'bash', ...recorder]);
  const looks: Look[] = [];
  let ended = false;
  let bytes = 0;
  void observed.exit.then(() => {
    ended = true;
  });
  while (!ended) {
    const look = lookAt(observed);
    if (look !== undefined && look.events > 0) looks.push(look);
    bytes += removeFinished(folder);
    await sleep(LOOK_MS);
  }
  const { code, stderr } = await observed.exit;
  if (code !== 0) throw new Error(`the recorder ended with exit code ${code}: ${stderr}`);
  bytes += removeFinished(folder);
  const recorded = observed.durableEvents();
  return { events, recorded, bytesPerEvent: bytes / recorded, parts: partsOf(looks) };
}

/** Undefined when it is gone. */
function lookAt(observed: ObservedProcess): Look | undefined {
  try {
    const stat = readFileSync(`/proc/${observed.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = readFileSync(`/proc/${observed.pid}/status`, 'latin1');
    const events = observed.durableEvents();
    // Only the last line is of use, and there is one for each block.
    observed.progress = observed.progress.slice(-200);
    return {
      atMs: performance.now(),
      events,
      userMs: Number(fields[11]) * 10,
      kernelMs: Number(fields[12]) * 10,
      rssMiB: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024,
    };
  } catch {
    return undefined;
  }
}

function removeFinished(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder)) {
    if (!name.startsWith('replay-') || name.endsWith('.part')) continue;
    const file = path.join(folder, name);
    bytes += statSync(file).size;
    rmSync(file);
  }
  return bytes;
}

/** Of about as many events each. */
function partsOf(looks: readonly Look[]): ReplayPart[] {
  const parts: ReplayPart[] = [];
  const [first] = looks;
  const last = looks.at(-1);
  if (last === undefined) return parts;
  let from = 0;
  for (let part = 1; part <= PARTS; part++) {
    const until = first.events + ((last.events - first.events) * part) / PARTS;
    let to = from;
    while (to < looks.length - 1 && looks[to].events < until) to++;
    if (to === from) continue;
    parts.push(partBetween(looks.slice(from, to + 1)));
    from = to;
  }
  return parts;
}

function partBetween(looks: readonly Look[]): ReplayPart {
  const [a] = looks;
  const b = looks.at(-1)!;
  const events = b.events - a.events;
  const kernelMs = b.kernelMs - a.kernelMs;
  return {
    events: b.events,
    seconds: (b.atMs - a.atMs) / 1000,
    cpuNsPerEvent: ((b.userMs - a.userMs + kernelMs) * 1e6) / events,
    kernelNsPerEvent: (kernelMs * 1e6) / events,
    rssMiBMin: Math.min(...looks.map(({ rssMiB }) => rssMiB)),
    rssMiBMax: Math.max(...looks.map(({ rssMiB }) => rssMiB)),
  };
}
