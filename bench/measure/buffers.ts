/**
 * One cell of the buffer matrix: the recorder with given buffers under a given load, and how full its buffers
 * became.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENT_TRUESIZE_BYTES } from '../../src/record/netlink/event-socket.js';
import { BLOCK_SLOTS } from '../../src/record/stage/blocks.js';
import type { Injector } from '../../test/lab/inject.js';
import type { Namespace } from '../../test/lab/namespace.js';
import { ObservedProcess } from '../../test/lab/process.js';
import type { StallingDisk } from './disk.js';
import { tableEntries } from './inside.js';
import { lastNumber } from './summary.js';
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
  /** Events during the stall, and what the rule says of them. */
  readonly arrived?: number;
  readonly expectedLost?: number;
  readonly queueHighWaterEvents: number;
  readonly ringHighWaterSlots: number;
}

/**
 * Events in a block while recording (src/record/parser/parser.ts), unless --flush-interval closes it before.
 */
const BLOCK_EVENTS = 16384;
/** Share of a load's connections that are open when a stall begins. */
const STALL_AT_SHARE = 0.25;
const LOOK_MS = 5;

/** Events that a socket buffer holds. */
export function heldBySocket(rcvbufKiB: number): number {
  return Math.floor((2 * rcvbufKiB * 1024) / EVENT_TRUESIZE_BYTES);
}

/**
 * Events that finished blocks hold while the disk stands still; the one being filled holds up to a block
 * more.
 */
export const HELD_BY_BLOCKS = BLOCK_SLOTS * BLOCK_EVENTS;

/** The rule: what arrives during the stall, less what the buffers before the stalled part hold for sure. */
export function expectedLoss(
  arrived: number,
  what: 'recorder' | 'disk',
  { rcvbufKiB, ringSlots }: Buffers,
): number {
  const behind = what === 'disk' ? HELD_BY_BLOCKS + ringSlots : 0;
  return Math.max(0, arrived - heldBySocket(rcvbufKiB) - behind);
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
    const stalled = load.stall && (await stall(load, load.stall, recorder, disk, buffers));
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
      ...stalled,
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

/** Let it stand still in the middle of the flood; answers what arrived meanwhile, as the table counts it. */
async function stall(
  { events }: Load,
  { what, ms }: NonNullable<Load['stall']>,
  recorder: ObservedProcess,
  disk: Pick<StallingDisk, 'stall'>,
  buffers: Buffers,
): Promise<{ arrived: number; expectedLost: number }> {
  while (tableEntries(recorder.pid) < events * STALL_AT_SHARE) await sleep(LOOK_MS);
  const before = tableEntries(recorder.pid);
  if (what === 'disk') await disk.stall(() => sleep(ms));
  else {
    recorder.signal('SIGSTOP');
    await sleep(ms);
    recorder.signal('SIGCONT');
  }
  const arrived = tableEntries(recorder.pid) - before;
  return { arrived, expectedLost: expectedLoss(arrived, what, buffers) };
}
