/** One cell of the buffer matrix: the recorder with given buffers under a given load, and how full its buffers became. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENT_TRUESIZE_BYTES } from '../../src/netlink/event-socket.js';
import { BLOCK_SLOTS } from '../../src/record/blocks.js';
import type { Injector } from '../../test/lab/inject.js';
import type { Namespace } from '../../test/lab/namespace.js';
import { ObservedProcess } from '../../test/lab/process.js';
import type { StallingDisk } from './disk.js';
import { Watch } from './watch.js';

export interface Load {
  readonly name: string;
  readonly events: number;
  /** Undefined: a burst, as fast as the kernel takes them. */
  readonly ratePerSecond?: number;
  /** What stands still in the middle, and for how long: the whole recorder (SIGSTOP), or its disk. */
  readonly stall?: { readonly what: 'recorder' | 'disk'; readonly ms: number };
}

export interface Buffers {
  /** -b */
  readonly rcvbufKiB: number;
  /** -B */
  readonly ringSlots: number;
}

export interface BufferResult extends Buffers {
  readonly load: string;
  readonly events: number;
  readonly recorded: number;
  /** As the recorder says. */
  readonly lost: number;
  /** What `expectedLoss` says; undefined for a burst. */
  readonly expectedLost?: number;
  readonly queueHighWaterEvents: number;
  readonly ringHighWaterSlots: number;
}

/** Events in a block while recording (src/record/parser.ts), unless --flush-interval closes it before. */
const BLOCK_EVENTS = 16384;
const STALL_AFTER_MS = 300;

/** Events that a socket buffer holds. */
export function heldBySocket(rcvbufKiB: number): number {
  return Math.floor((2 * rcvbufKiB * 1024) / EVENT_TRUESIZE_BYTES);
}

/** Events that finished blocks hold while the disk stands still; the one being filled holds up to a block more. */
export const HELD_BY_BLOCKS = BLOCK_SLOTS * BLOCK_EVENTS;

/** The rule: what arrives during the stall, less what the buffers before the stalled part hold for sure. */
export function expectedLoss({ ratePerSecond = 0, stall }: Load, { rcvbufKiB, ringSlots }: Buffers): number {
  if (stall === undefined) return 0;
  const behind = stall.what === 'disk' ? HELD_BY_BLOCKS + ringSlots : 0;
  return Math.max(0, Math.round((ratePerSecond * stall.ms) / 1000) - heldBySocket(rcvbufKiB) - behind);
}

/** Runs one cell and leaves table and disk empty. */
export async function measureBuffers(
  load: Load,
  buffers: Buffers,
  namespace: Namespace,
  injector: Injector,
  disk: Pick<StallingDisk, 'folder' | 'stall'>,
): Promise<BufferResult> {
  const file = path.join(disk.folder, 'matrix.ct');
  const { rcvbufKiB, ringSlots } = buffers;
  const args = ['-C', '-F', '-f', file, '-b', String(rcvbufKiB), '-B', String(ringSlots)];
  const recorder = await ObservedProcess.recorder(namespace, args);
  const watch = new Watch(recorder, namespace);
  try {
    await recorder.says(/recording to/);
    const flood = injector.create({ count: load.events }, load.ratePerSecond);
    if (load.stall !== undefined) {
      await sleep(STALL_AFTER_MS);
      await stand(load.stall, recorder, disk);
    }
    await flood;
    await watch.caughtUp();
    recorder.signal('SIGUSR1');
    await recorder.says(/"msg":"statistics: /);
    const { stderr, code } = await watch.stop();
    if (code !== 0) throw new Error(`the recorder ended with exit code ${code}: ${stderr}`);
    return {
      load: load.name,
      ...buffers,
      events: load.events,
      recorded: lastNumber(stderr, 'recorded'),
      lost: lastNumber(stderr, 'lost'),
      ...(load.ratePerSecond !== undefined && { expectedLost: expectedLoss(load, buffers) }),
      queueHighWaterEvents: Math.round(lastNumber(stderr, 'queueHighWaterBytes') / EVENT_TRUESIZE_BYTES),
      ringHighWaterSlots: lastNumber(stderr, 'ringHighWaterSlots'),
    };
  } finally {
    await watch.kill();
    await injector.flush();
    rmSync(file, { force: true });
    rmSync(`${file}.part`, { force: true });
  }
}

async function stand(
  { what, ms }: NonNullable<Load['stall']>,
  recorder: ObservedProcess,
  disk: Pick<StallingDisk, 'folder' | 'stall'>,
): Promise<void> {
  if (what === 'disk') {
    await disk.stall(ms);
    return;
  }
  recorder.signal('SIGSTOP');
  await sleep(ms);
  recorder.signal('SIGCONT');
}

/** The last value of a key in the recorder's JSON log. */
function lastNumber(log: string, key: string): number {
  return Number([...log.matchAll(new RegExp(`"${key}":(\\d+)`, 'g'))].at(-1)?.[1]);
}
