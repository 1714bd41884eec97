import type { ErrnoCode } from '../../base/errno.js';
import { SystemFailure } from '../../base/errors.js';

/** The disk, or the part of it that this user may fill. */
const FULL: ReadonlySet<ErrnoCode> = new Set(['ENOSPC', 'EDQUOT']);

/** Whether there was no room, so that removing something may help. */
export function isFull(error: unknown): error is SystemFailure {
  return error instanceof SystemFailure && FULL.has(error.code);
}
