/**
 * A failure on its way to another thread. Structured cloning drops the class of an Error, its name and its
 * code, so each kind is sent as plain data and made again on the other side: what `instanceof` answers, and
 * what the user is told, is the same on both.
 */
import {
  DamageError,
  InvariantError,
  isNodeSystemError,
  type NodeSystemError,
  SystemFailure,
  UsageError,
} from './errors.js';

interface Told {
  readonly message: string;
  readonly stack: string;
}
export type ThreadFailure = Told &
  (
    | ({ readonly kind: 'system' } & Pick<SystemFailure, 'operation' | 'code' | 'path'>)
    | ({ readonly kind: 'node' } & Pick<NodeSystemError, 'errno' | 'syscall' | 'path' | 'dest'>)
    | ({ readonly kind: 'damage' } & Pick<
        DamageError,
        'code' | 'file' | 'offsetBytes' | 'lengthBytes' | 'what'
      >)
    | { readonly kind: 'usage' }
    | { readonly kind: 'invariant' }
    | { readonly kind: 'other'; readonly name: string }
  );

export function failureForThread(thrown: unknown): ThreadFailure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { name, message, stack = '' } = error;
  const told = { message, stack };
  if (error instanceof SystemFailure) {
    const { operation, code, path } = error;
    return { ...told, kind: 'system', operation, code, path };
  }
  if (error instanceof DamageError) {
    const { code, file, offsetBytes, lengthBytes, what } = error;
    return { ...told, kind: 'damage', code, file, offsetBytes, lengthBytes, what };
  }
  if (error instanceof UsageError) return { ...told, kind: 'usage' };
  if (error instanceof InvariantError) return { ...told, kind: 'invariant' };
  if (isNodeSystemError(error)) {
    const { errno, syscall, path, dest } = error;
    const paths = { ...(path !== undefined && { path }), ...(dest !== undefined && { dest }) };
    return { ...told, kind: 'node', errno, syscall, ...paths };
  }
  return { ...told, kind: 'other', name };
}

/** The failure as an Error again; errors of other origin (a thread that was ended) as they are. */
export function errorFromThread(failure: unknown): unknown {
  if (failure instanceof Error) return failure;
  const { stack } = failure as ThreadFailure;
  return Object.assign(remade(failure as ThreadFailure), { stack });
}

function remade(failure: ThreadFailure): Error {
  const { message } = failure;
  switch (failure.kind) {
    case 'system': {
      const { operation, code, path } = failure;
      return new SystemFailure(operation, code, message, path === undefined ? {} : { path });
    }
    case 'damage':
      return new DamageError(failure.code, failure, failure.what);
    case 'usage':
      return new UsageError(message);
    case 'invariant':
      return new InvariantError(message);
    case 'node': {
      const { kind: _, ...properties } = failure;
      return Object.assign(new Error(message), properties);
    }
    case 'other':
      return Object.assign(new Error(message), { name: failure.name });
  }
}
