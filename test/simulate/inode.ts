/** A file, directory or link of a simulated disk: its contents, and which of them a sync made certain. */
import type { FileFacts, FileKind } from '../../src/base/disk/disk.js';

export const DEVICE = 1;

type Pending =
  | { readonly type: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly bytes: number };

export interface Inode {
  readonly number: number;
  readonly kind: FileKind;
  /** Where a link leads. */
  readonly target: string;
  /** Which process made it, "" for the world. */
  readonly maker: string;
  data: Uint8Array;
  bytes: number;
  /** Contents as a sync made them certain, and what came since. */
  certain: Uint8Array;
  pending: Pending[];
  links: number;
  modifiedMs: number;
  lockedBy: string | undefined;
}

export function factsOf(inode: Inode): FileFacts {
  const { kind, number, bytes, links, modifiedMs } = inode;
  return { kind, inode: number, device: DEVICE, bytes, links, modifiedMs };
}

/** What a sync does. */
export function certify(inode: Inode): void {
  if (inode.pending.length === 0) return;
  inode.certain = inode.data.slice(0, inode.bytes);
  inode.pending = [];
}
