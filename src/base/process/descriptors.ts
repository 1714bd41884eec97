/**
 * Descriptors that the program was started with. Node opens its own with O_CLOEXEC and marks the first
 * inherited ones so too (libuv: uv_disable_stdio_inheritance, up to 16 and on to the first gap): those never
 * reach a child. Whatever still lacks it was inherited.
 */
import { closeSync, fstatSync, readdirSync, readFileSync } from 'node:fs';
import { UsageError } from '../errors.js';

const O_CLOEXEC = 0o2000000;
const FIRST_UNKNOWN = 3;

/**
 * Close what a shell left open (a recorder that holds it keeps pipes and file systems busy), except `kept`.
 * Linux; else nothing.
 */
export function closeInherited(kept: readonly (number | undefined)[]): void {
  for (const fd of inherited()) if (!kept.includes(fd)) closeSync(fd);
}

function inherited(): number[] {
  let descriptors: number[];
  try {
    descriptors = readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
  return descriptors.filter((fd) => fd >= FIRST_UNKNOWN && survivesExec(fd));
}

function survivesExec(fd: number): boolean {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    return (Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '0', 8) & O_CLOEXEC) === 0;
  } catch {
    return false; // the descriptor that the directory was read through
  }
}

/** UsageError unless `fd` is open. */
export function needDescriptor(option: string, fd: number): void {
  try {
    fstatSync(fd);
  } catch (error) {
    throw new UsageError(
      `${option} ${fd}: not an open descriptor; open it in the shell, as in ${fd}>progress.json`,
      {
        cause: error,
      },
    );
  }
}
