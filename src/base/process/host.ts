/** The machine that this process runs on, as files name it. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

export interface Host {
  readonly hostname: string;
  /** Another one after each start of the machine; empty where there is none. */
  readonly bootId: string;
}

export function thisHost(): Host {
  return { hostname: hostname(), bootId: bootId() };
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}
