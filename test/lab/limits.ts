/**
 * nf_conntrack_max and nf_conntrack_buckets are one setting for the whole machine, whatever the namespace. So
 * a flood raises them, never lowers them, and whoever holds them last puts the first values back, also for a
 * holder that was killed.
 *
 * State is a folder: one file per holder, named by `owner`, and `original` with the values found by the
 * first.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { isAlive, onExit, owner } from './cleanup.js';

const FOLDER = '/run/ctlab-limits';
const LOCK = '/run/ctlab-limits.lock';
const LOCK_RETRY_MS = 5;
const MAX = '/proc/sys/net/netfilter/nf_conntrack_max';
const BUCKETS = '/proc/sys/net/netfilter/nf_conntrack_buckets';

let holds = 0;
let forget: () => void;

/**
 * Make room for `entries` conntrack entries until the returned function is called (at the latest when the
 * process ends).
 */
export function raiseConntrackLimits(entries: number): () => void {
  locked(() => {
    restoreIfUnheld();
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(`${FOLDER}/${owner}`, '');
    // Without an original there is no other holder: what stands in /proc is the machine's own.
    writeOriginalOnce(`${read(MAX)} ${read(BUCKETS)}`);
    if (read(MAX) < entries) writeFileSync(MAX, String(entries));
    if (read(BUCKETS) < entries) writeFileSync(BUCKETS, String(entries));
  });
  if (holds++ === 0) forget = onExit(letGo);
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    if (--holds > 0) return;
    forget();
    letGo();
  };
}

function letGo(): void {
  locked(() => {
    rmSync(`${FOLDER}/${owner}`, { force: true });
    restoreIfUnheld();
  });
}

function restoreIfUnheld(): void {
  if (!existsSync(FOLDER)) return;
  const names = readdirSync(FOLDER);
  if (names.some((name) => name !== 'original' && isAlive(name))) return;
  if (names.includes('original')) {
    const [max, buckets] = readFileSync(`${FOLDER}/original`, 'latin1').split(' ');
    // Writing the number of buckets also sets the maximum on some kernels: buckets first.
    if (read(BUCKETS) !== Number(buckets)) writeFileSync(BUCKETS, buckets);
    if (read(MAX) !== Number(max)) writeFileSync(MAX, max);
  }
  rmSync(FOLDER, { recursive: true });
}

function writeOriginalOnce(values: string): void {
  try {
    writeFileSync(`${FOLDER}/original`, values, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function read(file: string): number {
  return Number(readFileSync(file, 'latin1'));
}

/** Run `change` while no other process does; a lock left by a dead process is broken. */
function locked(change: () => void): void {
  for (;;) {
    try {
      const lock = openSync(LOCK, 'wx');
      writeFileSync(lock, owner);
      closeSync(lock);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      breakDeadLock();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_RETRY_MS);
    }
  }
  try {
    change();
  } finally {
    rmSync(LOCK, { force: true });
  }
}

function breakDeadLock(): void {
  try {
    const holder = readFileSync(LOCK, 'latin1');
    if (holder !== '' && !isAlive(holder)) rmSync(LOCK, { force: true });
  } catch {
    // Released meanwhile.
  }
}
