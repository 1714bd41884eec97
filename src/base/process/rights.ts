/**
 * Rights of the recorder. Node's set*id calls change all threads of the process, prctl and capset only the
 * calling one, which decides the order of everything here.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { errnoCode, SystemFailure } from '../errors.js';
import {
  CAP_NET_ADMIN,
  CAP_SETGID,
  CAP_SETUID,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
} from '../libc/constants.js';
import { capset, prctl } from '../libc/process.js';
import { resolveIdentity } from './accounts.js';

/** Missing in Node's type declarations. The user's supplementary groups and `gid`, of all threads. */
const { initgroups } = process as unknown as { initgroups(user: string, gid: number): void };

/** What the recorder can still need after its start. */
const KEPT_CAPABILITIES: readonly number[] = [CAP_SETGID, CAP_SETUID, CAP_NET_ADMIN];
const KEPT_MASK = KEPT_CAPABILITIES.reduce((mask, capability) => mask | (1n << BigInt(capability)), 0n);
/** include/uapi/linux/capability.h: CAP_SETPCAP, needed to take anything out of the bounding set */
const CAP_SETPCAP = 8n;
/** The kernel answers EINVAL behind its last capability; a mask has 64 bits. */
const CAPABILITY_BITS = 64;

/**
 * Become the user and group and keep only CAP_NET_ADMIN. Main thread, once the worker threads exist and
 * libuv's pool has been started (its threads are then left without any capability); a thread that the main
 * thread makes later inherits the one kept. Throws UsageError (no such user) or SystemFailure.
 */
export function reduceRights(user: string | undefined, group: string | undefined): void {
  const { uid, gid, name } = resolveIdentity(user, group);
  try {
    prctl(PR_SET_KEEPCAPS, 1);
    if (name === undefined) process.setgroups!([]);
    else initgroups(name, gid);
    process.setgid!(gid);
    if (uid !== undefined) process.setuid!(uid);
    const kept = 1n << BigInt(CAP_NET_ADMIN);
    capset({ effective: kept, permitted: kept, inheritable: 0n });
  } catch (error) {
    if (errnoCode(error) !== 'EPERM') throw error;
    const asked = [user && `-U ${user}`, group && `-G ${group}`].filter(Boolean).join(' ');
    throw new SystemFailure('reduce rights', 'EPERM', `${asked}: not permitted; start ctrecorder as root`, {
      cause: error,
    });
  }
}

/**
 * Take everything but what the recorder needs out of the calling thread's bounding set, and forbid it to gain
 * rights by running programs. Processes and threads that it makes from now on inherit both; threads that
 * exist do not.
 */
export function limitRights(): void {
  for (let capability = 0; capability < CAPABILITY_BITS; capability++) {
    if (KEPT_CAPABILITIES.includes(capability)) continue;
    try {
      prctl(PR_CAPBSET_DROP, capability);
    } catch (error) {
      if (errnoCode(error) === 'EINVAL') break;
      // Without CAP_SETPCAP there is nothing to take away that no_new_privs does not keep away.
      if (errnoCode(error) === 'EPERM') break;
      throw error;
    }
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1);
}

/** Whether `limitRights` has nothing left to do on any thread of this process. */
export function rightsAreLimited(): boolean {
  return readdirSync('/proc/self/task').every((thread) => {
    const status = readFileSync(`/proc/self/task/${thread}/status`, 'latin1');
    const mask = (name: string) =>
      BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? 0}`);
    const mayLimit = ((mask('CapEff') >> CAP_SETPCAP) & 1n) === 1n;
    return mask('NoNewPrivs') === 1n && (!mayLimit || (mask('CapBnd') & ~KEPT_MASK) === 0n);
  });
}
