/**
 * Network namespaces that remove themselves: made with unique names, gone when the process is. Needs root and
 * iproute2.
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { endWithUs, isAlive, onExit, owner } from './cleanup.js';

const NAME_PREFIX = 'ctlab-';
let made = 0;

export interface ConntrackSysctls {
  /** net.netfilter.nf_conntrack_acct: count packets and bytes. Entries made before keep none. */
  readonly acct?: 0 | 1;
  /**
   * net.netfilter.nf_conntrack_timestamp: start and stop times, and the event time on kernels that send it.
   */
  readonly timestamp?: 0 | 1;
  /** net.netfilter.nf_conntrack_events: 0 none, 1 always, 2 while somebody listens. */
  readonly events?: 0 | 1 | 2;
}

/** Why the lab cannot work here, or undefined when it can. */
export function labObstacle(): string | undefined {
  if (process.platform !== 'linux') return `network namespaces need Linux; this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const tool of ['ip', 'nft', 'ping']) {
    try {
      execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
    } catch {
      return `the program ${tool} is missing (make debs)`;
    }
  }
  try {
    const probe = new Namespace('probe');
    try {
      probe.run('nft', ['add table ip t; add chain ip t c { type nat hook postrouting priority 100; }']);
      probe.sysctl('net.netfilter.nf_conntrack_events');
    } finally {
      probe.remove();
    }
  } catch (error) {
    return `this kernel lets us make no namespace with NAT: ${(error as Error).message}`;
  }
  return undefined;
}

export class Namespace {
  readonly name: string;
  readonly #forget: () => void;

  /**
   * @throws Error when the namespace cannot be made (not root, no iproute2); the message is what `ip` said.
   */
  constructor(label: string) {
    if (made === 0) removeLeftovers();
    this.name = `${NAME_PREFIX}${owner}-${made++}${label}`;
    ip('netns', 'add', this.name);
    this.#forget = onExit(() => this.#remove());
    this.ip('link set lo up');
  }

  /** Run a program to its end and answer its standard output; throws with its standard error. */
  run(command: string, args: readonly string[] = [], input = ''): string {
    return execFileSync('ip', ['netns', 'exec', this.name, command, ...args], {
      input,
      encoding: 'utf8',
      stdio: 'pipe',
      maxBuffer: 1 << 30,
    });
  }

  /** Words of one `ip` command inside the namespace, as in `ip('link set lo up')`. */
  ip(words: string): string {
    return this.run('ip', words.split(' '));
  }

  /**
   * Start a program. `ip netns exec` replaces itself, so the child's pid is the program's, and signals reach
   * it.
   */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.name, command, ...args], options);
    endWithUs(child);
    return child;
  }

  /** Read a sysctl as this namespace sees it, or set it. */
  sysctl(key: string, value?: number | string): string {
    const file = `/proc/sys/${key.replaceAll('.', '/')}`;
    if (value === undefined) return this.run('cat', [file]).trim();
    return this.run('sh', ['-c', `cat > ${file}`], String(value));
  }

  conntrackSysctls(values: ConntrackSysctls): void {
    for (const [name, value] of Object.entries(values))
      this.sysctl(`net.netfilter.nf_conntrack_${name}`, value);
  }

  /** Entries in this namespace's conntrack table now. */
  conntrackCount(): number {
    return Number(this.sysctl('net.netfilter.nf_conntrack_count'));
  }

  /** End every process inside and remove the namespace with its links. */
  remove(): void {
    this.#forget();
    this.#remove();
  }

  #remove(): void {
    removeNamespace(this.name);
  }
}

/** Give `use` fresh namespaces, one per label, and remove them afterwards, also on failure. */
export async function withNamespaces<T>(
  labels: readonly string[],
  use: (...namespaces: Namespace[]) => Promise<T> | T,
): Promise<T> {
  const namespaces: Namespace[] = [];
  try {
    for (const label of labels) namespaces.push(new Namespace(label));
    return await use(...namespaces);
  } finally {
    for (const namespace of namespaces) namespace.remove();
  }
}

/** Remove namespaces whose maker no longer runs (it was killed). Answers their names. */
export function removeLeftovers(): string[] {
  const removed: string[] = [];
  for (const name of namespaceNames()) {
    const maker = name.slice(NAME_PREFIX.length).split('-')[0];
    if (!name.startsWith(NAME_PREFIX) || isAlive(maker)) continue;
    removeNamespace(name);
    removed.push(name);
  }
  return removed;
}

function namespaceNames(): string[] {
  try {
    return readdirSync('/run/netns');
  } catch {
    return [];
  }
}

/**
 * A namespace lives on, nameless, while a process is in it: end those first. They are all ours, the namespace
 * being ours.
 */
function removeNamespace(name: string): void {
  for (const pid of ip('netns', 'pids', name).split('\n')) {
    if (pid === '') continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
  ip('netns', 'del', name);
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });
}
