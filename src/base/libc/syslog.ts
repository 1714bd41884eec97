import { libc, load } from './call.js';

// System log

const LOG_PID = 1;
const LOG_DAEMON = 3 << 3;
/** syslog(3) severities. */
export const SyslogSeverity = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;

// The C library keeps the pointer that openlog gets, not a copy.
let identMemory: Uint8Array | undefined;

export function openlog(ident: string): void {
  const memory = new Uint8Array(new SharedArrayBuffer(Buffer.byteLength(ident) + 1));
  memory.set(Buffer.from(ident));
  libc('openlog')(load().address(memory), LOG_PID, LOG_DAEMON);
  identMemory = memory;
}

export function syslog(severity: number, line: string): void {
  if (identMemory === undefined) openlog('ctrecorder');
  libc('syslog')(LOG_DAEMON | severity, '%s', 'str', line);
}
