/**
 * Files made from logs: never over another file, and under their name only when they are whole and durable.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { isLocked } from '../../base/disk/locked.js';
import { errnoCode, SystemFailure } from '../../base/errors.js';
import type { LogPlace } from '../../log/read/open.js';

/** The name under which a file is written before it gets its own. */
export function temporaryName(target: string): string {
  return `${target}.${process.pid}.tmp`;
}

/**
 * SystemFailure when a recorder still writes the file, or something has the output's name. Answers the file
 * as it is now.
 */
export function checkPlaces(
  operation: string,
  place: LogPlace,
  output: string | undefined,
): Stats | undefined {
  const stats = place.standardInput ? undefined : statSync(place.path, { throwIfNoEntry: false });
  if (stats !== undefined && isLocked(stats))
    throw new SystemFailure(
      operation,
      'EBUSY',
      `${place.path}: is locked by a recorder, ${operation} it once it is closed`,
    );
  if (output !== undefined && existsSync(output))
    throw new SystemFailure(operation, 'EEXIST', `${output}: exists already, name another output`);
  return stats;
}

/** Give a finished file its name, durably. EEXIST when something has come up under that name. */
export function putInPlace(temporary: string, target: string): void {
  syncPath(temporary);
  // A link fails where a rename would replace a file that came up meanwhile.
  linkSync(temporary, target);
  unlinkSync(temporary);
  syncPath(dirname(target));
}

/** fsync of a file or directory. */
export function syncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Node's system errors as one line about the file that was to be written; ours as they are. */
export function asFailure(operation: string, error: unknown, path: string): unknown {
  const code = errnoCode(error);
  if (error instanceof SystemFailure || code === undefined) return error;
  const what = code === 'ENOSPC' ? 'no space left' : code === 'EEXIST' ? 'exists already' : code;
  return new SystemFailure(operation, code, `${path}: cannot be written: ${what}; nothing was changed`, {
    path,
    cause: error,
  });
}
