/**
 * Three kinds of failure, three types (plus wrong usage). Codes are closed unions: compare codes, never
 * messages. Whatever reaches the user is one line: what, where, what to do.
 */

/** The system said no: an operation failed with an errno. Handled by whoever can retry or explain. */
export class SystemFailure extends Error {
  override readonly name = 'SystemFailure';
  constructor(
    /** What was tried, as in "fdatasync" or "join group DESTROY". */
    readonly operation: string,
    /** errno name, as in "ENOSPC"; "ENOTSUP" where the platform lacks the operation. */
    readonly code: string,
    message: string,
    options: { path?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.path = options.path;
  }
  readonly path: string | undefined;
}

export type DamageCode =
  | 'not-a-log'
  | 'empty'
  | 'unsupported-version'
  | 'truncated'
  | 'bad-header'
  | 'bad-header-crc'
  | 'bad-payload-crc'
  | 'bad-chain'
  | 'bad-sequence'
  | 'bad-payload'
  | 'garbage'
  | 'implausible'
  | 'compressed'
  | 'bad-capture';

/** The data is damaged: where (file, offset and length in bytes) and how. Reported, skipped or repaired. */
export class DamageError extends Error {
  override readonly name = 'DamageError';
  constructor(
    readonly code: DamageCode,
    readonly file: string,
    readonly offsetBytes: number,
    message: string,
    readonly lengthBytes = 0,
  ) {
    super(message);
  }
}

/** Wrong usage: exit code 2. The message says what is wrong and what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An invariant of ours broke: a bug. The thread stops and the supervisor decides. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) throw new InvariantError(what);
}

/**
 * A failure on its way to another thread, where an Error itself arrives without its name: that is what tells
 * the kinds apart.
 */
export interface ThreadFailure {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

export function failureForThread(error: unknown): ThreadFailure {
  const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  return { name, message, stack };
}

/** The failure as an Error again; errors of other origin as they are. */
export function errorFromThread(failure: unknown): unknown {
  if (failure instanceof Error) return failure;
  const { name, message, stack } = failure as ThreadFailure;
  return Object.assign(new Error(message), { name, stack });
}

/** errno name of a Node or SystemFailure error, or "UNKNOWN". */
export function errnoCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'UNKNOWN';
}
