/**
 * Users and groups by name or number: /etc/passwd and /etc/group first, then whatever else the system asks
 * (getent).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { UsageError } from '../errors.js';

/** Who the recorder becomes. */
export interface Identity {
  /** Undefined: stays as it is. */
  readonly uid?: number;
  readonly gid: number;
  /** Login name, whose supplementary groups are taken; undefined: none are. */
  readonly name?: string;
}

const MAX_ID = 2 ** 32 - 2;

/**
 * What `-U` and `-G` mean. A user by name brings its supplementary groups, a bare number none. Without `-G`
 * the group is the user's own, for a number without an account the same number. UsageError when there is no
 * such user or group.
 */
export function resolveIdentity(user: string | undefined, group: string | undefined): Identity {
  const gid = group === undefined ? undefined : groupId(group);
  if (user === undefined) return { gid: gid ?? process.getgid!() };
  const entry = lookup('passwd', user);
  const number = asId(user);
  if (entry === undefined && number === undefined)
    throw new UsageError(`-U ${user}: no such user; give a name or number that exists here`);
  const uid = number ?? Number(entry![2]);
  return {
    uid,
    gid: gid ?? Number(entry?.[3] ?? uid),
    ...(number === undefined && { name: entry![0] }),
  };
}

function groupId(group: string): number {
  const id = asId(group) ?? Number(lookup('group', group)?.[2]);
  if (Number.isInteger(id)) return id;
  throw new UsageError(`-G ${group}: no such group; give a name or number that exists here`);
}

function asId(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined;
}

/** Fields of the entry with this name or number. */
function lookup(database: 'passwd' | 'group', key: string): string[] | undefined {
  return find(readFileSync(`/etc/${database}`, 'utf8'), key) ?? find(getent(database, key), key);
}

function find(text: string, key: string): string[] | undefined {
  const field = asId(key) === undefined ? 0 : 2;
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields.length > 1 && fields[field] === key);
}

/** Entries that are not in the files (LDAP and the like); empty where there are none or no getent. */
function getent(database: string, key: string): string {
  try {
    return execFileSync('getent', [database, '--', key], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '';
  }
}
