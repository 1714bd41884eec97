/** What the kernel says of the sockets that listen to conntrack events where a process runs, from /proc/PID/net/netlink. */
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
 * The sockets of the namespace that joined both groups, seen through a process in it. None when the process is gone, or has not
 * entered yet: `ip netns exec` begins outside, where others may listen.
 */
export function listeners(pid: number, namespace: Namespace): Listener[] {
  if (!isInside(pid, namespace)) return [];
  return table(pid)
    .filter(
      ([, protocol, , groups]) =>
        protocol === NETLINK_NETFILTER && (Number.parseInt(groups, 16) & EVENT_GROUPS) === EVENT_GROUPS,
    )
    .map(([, , , , queuedBytes, , , , drops]) => ({
      queuedBytes: Number(queuedBytes),
      drops: Number(drops),
    }));
}

function isInside(pid: number, { name }: Namespace): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) === `net:[${statSync(`/run/netns/${name}`).ino}]`;
  } catch {
    return false;
  }
}

/** Columns: sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode. */
function table(pid: number): string[][] {
  try {
    const lines = readFileSync(`/proc/${pid}/net/netlink`, 'latin1').trim().split('\n').slice(1);
    return lines.map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}
