/**
 * Does anybody hold a flock on a file? Read from /proc/locks, so that no native call is needed; false where
 * there is none.
 */
import { readFileSync, type Stats } from 'node:fs';

/**
 * Lines like `3: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`: device in hex, inode in decimal (proc(5)).
 */
export function isLocked(file: Pick<Stats, 'dev' | 'ino'>): boolean {
  let locks: string;
  try {
    locks = readFileSync('/proc/locks', 'latin1');
  } catch {
    return false;
  }
  const major = ((file.dev >>> 8) & 0xfff).toString(16).padStart(2, '0');
  const minor = ((file.dev & 0xff) | ((file.dev >>> 12) & 0xfff00)).toString(16).padStart(2, '0');
  const place = ` ${major}:${minor}:${file.ino} `;
  return locks.split('\n').some((line) => line.includes(' FLOCK ') && line.includes(place));
}
