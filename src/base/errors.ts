/**
 * Three kinds of failure, three types: the system said no (SystemFailure), the data is damaged (DamageError),
 * an invariant broke (InvariantError); and wrong usage. Codes are closed unions: compare codes, never
 * messages. Whatever reaches the user is one line: what, where, what to do.
 */
import { type ErrnoCode, errnoName, errnoNumber, errnoText } from './errno.js';

/** The system said no: an operation failed with an errno. Handled by whoever can retry or explain. */
export class SystemFailure extends Error {
  override readonly name = 'SystemFailure';
  constructor(
    /** What was tried, as in "fdatasync" or "join group DESTROY". */
    readonly operation: string,
    /** "ENOTSUP" where the platform lacks the operation. */
    readonly code: ErrnoCode,
    message: string,
    options: { path?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.path = options.path;
  }
  readonly path: string | undefined;
}

/** The same from Node, before anybody has explained it: what node:fs, node:os and streams throw. */
export interface NodeSystemError extends Error {
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  /** Of calls with two paths, as rename. */
  readonly dest?: string;
}

/** Wrong arguments (ERR_INVALID_ARG_TYPE) and zlib's errors have a code as well, but no system call. */
export function isNodeSystemError(error: unknown): error is NodeSystemError {
  if (!(error instanceof Error)) return false;
  const { errno, syscall } = error as Partial<NodeSystemError>;
  return typeof errno === 'number' && typeof syscall === 'string';
}

/** Whether the system refused, with a known errno or not. Anything else that was not expected is a bug. */
export function isSystemError(error: unknown): error is SystemFailure | NodeSystemError {
  return error instanceof SystemFailure || isNodeSystemError(error);
}

/** Why the system said no; undefined when the error is of another kind. */
export function errnoCode(error: unknown): ErrnoCode | undefined {
  if (error instanceof SystemFailure) return error.code;
  return isNodeSystemError(error) ? errnoName(error.errno) : undefined;
}

/** The same for people, as in "no space left on device (ENOSPC)". */
export function systemErrorText(error: SystemFailure | NodeSystemError): string {
  const errno = error instanceof SystemFailure ? errnoNumber(error.code) : error.errno;
  return errno === undefined ? 'EUNKNOWN' : errnoText(errno);
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

export interface DamagedPlace {
  /** Path as given, "-" for standard input. */
  readonly file: string;
  readonly offsetBytes: number;
  /** 0 when nobody knows how much is damaged. */
  readonly lengthBytes?: number;
}

/** The data is damaged: where and how. Reported, skipped or repaired. The message begins with the file. */
export class DamageError extends Error {
  override readonly name = 'DamageError';
  readonly file: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;

  constructor(
    readonly code: DamageCode,
    { file, offsetBytes, lengthBytes = 0 }: DamagedPlace,
    /** What was found, one line without the file. */
    readonly what: string,
  ) {
    super(`${file}: ${what}`);
    this.file = file;
    this.offsetBytes = offsetBytes;
    this.lengthBytes = lengthBytes;
  }
}

/**
 * A block's payload does not hold what the block promises. Decoders throw it: they see bytes and know neither
 * the file nor where in it their block stands. Whoever reads the file turns it into damage at that place. It
 * is no DamageError, so that one which nobody gave a place is reported as a bug.
 */
export class PayloadDamage extends Error {
  override readonly name = 'PayloadDamage';

  /** `place` is the block's. */
  at(place: DamagedPlace): DamageError {
    return new DamageError('bad-payload', place, `offset ${place.offsetBytes}: ${this.message}`);
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
