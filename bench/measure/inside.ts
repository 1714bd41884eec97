/**
 * What the kernel says of the network namespace that a process runs in, from /proc/PID/net: without starting
 * anything there.
 */
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import type { Namespace } from '../../test/lab/namespace.js';

export interface Listener {
  /** Bytes that wait to be read. */
  readonly queuedBytes: number;
  /** Events that the kernel dropped for it, whether it knows or not. */
  readonly drops: number;
}

const NETLINK_NETFILTER = '12';
/** Groups NEW (1) and DESTROY (3), as bits of the mask. */
const EVENT_GROUPS = 0b101;

/**
 * The sockets of the namespace that joined both groups, seen through a process in it. None when the process
 * is gone, or has not entered yet: `ip netns exec` begins outside, where others may listen.
 */
export function listeners(pid: number, namespace: Namespace): Listener[] {
  if (!isInside(pid, namespace)) return [];
  return netlinkTable(pid)
    .filter(
      ([, protocol, , groups]) =>
        protocol === NETLINK_NETFILTER && (Number.parseInt(groups, 16) & EVENT_GROUPS) === EVENT_GROUPS,
    )
    .map(([, , , , queuedBytes, , , , drops]) => ({
      queuedBytes: Number(queuedBytes),
      drops: Number(drops),
    }));
}

/** Entries in the conntrack table of the process's namespace; 0 when the process is gone. */
export function tableEntries(pid: number): number {
  // Every CPU's line begins with the whole table's count, in hexadecimal.
  const line = lines(`/proc/${pid}/net/stat/nf_conntrack`)[0] ?? '0';
  return Number.parseInt(line, 16);
}

function isInside(pid: number, { name }: Namespace): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) === `net:[${statSync(`/run/netns/${name}`).ino}]`;
  } catch {
    return false;
  }
}

/** Columns: sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode. */
function netlinkTable(pid: number): string[][] {
  return lines(`/proc/${pid}/net/netlink`).map((line) => line.trim().split(/\s+/));
}

/** Without the first, which names the columns; none of a file that is not there. */
function lines(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').trimEnd().split('\n').slice(1);
  } catch {
    return [];
  }
}
