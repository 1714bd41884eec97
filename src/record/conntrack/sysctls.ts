/**
 * What the kernel must be set to for a complete log. Read only: a recorder never changes a sysctl unasked.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoCode } from '../../base/errors.js';

export type KernelFindingCode = 'no-conntrack' | 'no-events' | 'events-off' | 'timestamp-off' | 'acct-off';

export interface KernelFinding {
  /** An error means that nothing would be recorded; a warning, that something would be missing in the log. */
  readonly level: 'error' | 'warning';
  readonly code: KernelFindingCode;
  /** One line: what, where, what to do. */
  readonly message: string;
}

export const CONNTRACK_SYSCTLS = '/proc/sys/net/netfilter';

/** How full the conntrack table of this network namespace is. */
export interface TableUse {
  /** Also those that are ended and whose DESTROY could not be delivered yet. */
  readonly entries: number;
  /** The kernel refuses connections beyond this many; 0: it never does. */
  readonly entriesMax: number;
}

/** Throws when connection tracking is not loaded. `directory` is for tests. */
export function tableUse(directory = CONNTRACK_SYSCTLS): TableUse {
  const read = (name: string) => Number(readFileSync(join(directory, name), 'latin1'));
  return { entries: read('nf_conntrack_count'), entriesMax: read('nf_conntrack_max') };
}

/**
 * Findings of the current network namespace, errors first; empty when all is well. `directory` is for tests.
 */
export function kernelFindings(directory = CONNTRACK_SYSCTLS): KernelFinding[] {
  const read = (name: string): string | undefined => {
    try {
      return readFileSync(join(directory, name), 'latin1').trim();
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  };
  if (read('nf_conntrack_count') === undefined) {
    return [
      error('no-conntrack', 'connection tracking is not loaded in this kernel: run "modprobe nf_conntrack"'),
    ];
  }
  const findings: KernelFinding[] = [];
  const events = read('nf_conntrack_events');
  if (events === undefined) {
    findings.push(
      error('no-events', 'this kernel sends no conntrack events (built without CONFIG_NF_CONNTRACK_EVENTS)'),
    );
  } else if (events === '0') {
    findings.push(
      error(
        'events-off',
        'the kernel sends no conntrack events: run "sysctl -w net.netfilter.nf_conntrack_events=1"',
      ),
    );
  }
  if (read('nf_conntrack_timestamp') !== '1') {
    findings.push(
      warning(
        'timestamp-off',
        "net.netfilter.nf_conntrack_timestamp is not 1: the log will contain times of receipt, a few milliseconds late, instead of the kernel's own",
      ),
    );
  }
  if (read('nf_conntrack_acct') !== '1') {
    findings.push(
      warning(
        'acct-off',
        'net.netfilter.nf_conntrack_acct is not 1: the log will not contain packet and byte counters',
      ),
    );
  }
  return findings;
}

function error(code: KernelFindingCode, message: string): KernelFinding {
  return { level: 'error', code, message };
}

function warning(code: KernelFindingCode, message: string): KernelFinding {
  return { level: 'warning', code, message };
}
