/** errno numbers and their names. The tables of Node are the source; nothing else in src lists them. */
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** Name of an errno, as in "ENOSPC"; "EUNKNOWN" stands for every errno that Node has no name for. */
export type ErrnoCode = keyof typeof constants.errno | 'EUNKNOWN';

const names = new Map<number, ErrnoCode>();
// Two names of one number (EAGAIN and EWOULDBLOCK): libuv uses the first.
for (const [name, errno] of Object.entries(constants.errno))
  if (!names.has(errno)) names.set(errno, name as ErrnoCode);

/** `errno` of either sign: the kernel's and koffi's are positive, libuv's negative (on Windows its own). */
export function errnoName(errno: number): ErrnoCode {
  const name = getSystemErrorMap().get(-Math.abs(errno))?.[0];
  if (name !== undefined && name in constants.errno) return name as ErrnoCode;
  return names.get(Math.abs(errno)) ?? 'EUNKNOWN';
}

/** As in "no space left on device (ENOSPC)"; an errno without a text of its own is named by its number. */
export function errnoText(errno: number): string {
  const text = getSystemErrorMap().get(-Math.abs(errno))?.[1] ?? `error ${Math.abs(errno)}`;
  return `${text} (${errnoName(errno)})`;
}

/** The number of a name; undefined for "EUNKNOWN". */
export function errnoNumber(code: ErrnoCode): number | undefined {
  return code === 'EUNKNOWN' ? undefined : constants.errno[code];
}
