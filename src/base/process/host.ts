/** The machine that this process runs on, as files name it. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

export interface Host {
  readonly hostname: string;
  /** Another one after each start of the machine; empty where there is none. */
  readonly bootId: string;
  /** 16 hex digits that are another on each machine, made from its own id, which is not given away. */
  readonly machineId?: string;
}

export function thisHost(): Host {
  const machine = machineId();
  return { hostname: hostname(), bootId: bootId(), ...(machine !== undefined && { machineId: machine }) };
}

/** machine-id(5) asks that the id itself be kept; a keyed hash of it may be shown. */
function machineId(): string | undefined {
  try {
    const id = readFileSync('/etc/machine-id', 'latin1').trim();
    if (!/^[0-9a-f]{32}$/.test(id)) return undefined;
    return createHmac('sha256', id).update('ctrecorder').digest('hex').slice(0, 16);
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}
