/**
 * Memory layout of the ring: single producer, single consumer, fixed slots, one SharedArrayBuffer.
 *
 *   0          128        256        384      descriptors   extras     times      slots
 *   | HEAD ... | TAIL ... | STATE .. | SIZES  | n x 64      | n x e    | n x 8    | n x slotBytes |
 *     producer   consumer   either     set once
 *
 * HEAD and TAIL count slots since the start, modulo 2^32; each side keeps its own slot index (0 to n-1)
 * beside it, so n need not be a power of two. HEAD - TAIL is the number of published slots:
 *
 *   not wrapped:  . . . T # # # # H . . .        # published, . free
 *   wrapped:      # # H . . . . . T # # #
 *
 * A descriptor is the kernel's 64-byte `struct mmsghdr` (include/linux/socket.h, x86-64 and arm64 layout), so
 * recvmmsg fills `msg_len` and `msg_flags` itself and JavaScript touches nothing per message. Users that are
 * not the kernel write the same two words. `extras` is `extraBytes` per slot for the user of the ring (the
 * netlink socket keeps sockaddr_nl and iovec there).
 */
import { invariant } from '../../base/errors.js';
import { DESCRIPTOR_BYTES } from '../../base/libc/receive.js';

export const CACHE_LINE_PAIR_BYTES = 128;
/**
 * Offsets in a descriptor: struct mmsghdr { struct msghdr { ..., int msg_flags @48 }, unsigned msg_len @56 }.
 */
const DESCRIPTOR_FLAGS_OFFSET = 48;
const DESCRIPTOR_LENGTH_OFFSET = 56;

export const HEAD_WORD = 0;
export const HIGH_WATER_WORD = 1;
export const TAIL_WORD = CACHE_LINE_PAIR_BYTES / 4;
export const STATE_WORD = (2 * CACHE_LINE_PAIR_BYTES) / 4;
const SIZES_WORD = (3 * CACHE_LINE_PAIR_BYTES) / 4;
const CONTROL_BYTES = 4 * CACHE_LINE_PAIR_BYTES;

/** Why a side stopped, in a word of its own. */
export const RingState = { open: 0, closed: 1, failed: 2 } as const;

export interface RingSizes {
  readonly slots: number;
  readonly slotBytes: number;
  readonly extraBytes: number;
}

/** Views on one ring's memory; both threads build their own from the same buffer. */
export class RingMemory {
  readonly slots: number;
  readonly slotBytes: number;
  readonly extraBytes: number;
  readonly control: Int32Array;
  /** Descriptor words (u32), DESCRIPTOR_BYTES / 4 per slot. */
  readonly descriptors: Uint32Array;
  /** One time per slot in microseconds since the epoch, written per batch by the producer. */
  readonly timesUs: Float64Array;
  /** Every byte of the buffer; slot i starts at slotsOffset + i * slotBytes. */
  readonly bytes: Uint8Array;
  readonly descriptorsOffset = CONTROL_BYTES;
  readonly extrasOffset: number;
  readonly slotsOffset: number;

  constructor(readonly buffer: SharedArrayBuffer) {
    this.control = new Int32Array(buffer, 0, CONTROL_BYTES / 4);
    this.slots = this.control[SIZES_WORD];
    this.slotBytes = this.control[SIZES_WORD + 1];
    this.extraBytes = this.control[SIZES_WORD + 2];
    const offsets = offsetsOf(this);
    this.extrasOffset = offsets.extras;
    this.slotsOffset = offsets.slots;
    invariant(buffer.byteLength === offsets.end, 'ring: buffer length does not fit its sizes');
    this.descriptors = new Uint32Array(buffer, CONTROL_BYTES, (this.slots * DESCRIPTOR_BYTES) / 4);
    this.timesUs = new Float64Array(buffer, offsets.times, this.slots);
    this.bytes = new Uint8Array(buffer);
  }

  /**
   * Bytes of the message in the slot, as the producer (or the kernel) wrote them; may exceed slotBytes when
   * it was cut.
   */
  lengthOf(slot: number): number {
    return this.descriptors[slot * (DESCRIPTOR_BYTES / 4) + DESCRIPTOR_LENGTH_OFFSET / 4];
  }

  flagsOf(slot: number): number {
    return this.descriptors[slot * (DESCRIPTOR_BYTES / 4) + DESCRIPTOR_FLAGS_OFFSET / 4];
  }

  describe(slot: number, lengthBytes: number, flags: number): void {
    const word = slot * (DESCRIPTOR_BYTES / 4);
    this.descriptors[word + DESCRIPTOR_LENGTH_OFFSET / 4] = lengthBytes;
    this.descriptors[word + DESCRIPTOR_FLAGS_OFFSET / 4] = flags;
  }

  offsetOf(slot: number): number {
    return this.slotsOffset + slot * this.slotBytes;
  }
}

function offsetsOf(sizes: RingSizes): { extras: number; times: number; slots: number; end: number } {
  const extras = CONTROL_BYTES + sizes.slots * DESCRIPTOR_BYTES;
  const times = alignUp(extras + sizes.slots * sizes.extraBytes, 8);
  const slots = alignUp(times + sizes.slots * 8, CACHE_LINE_PAIR_BYTES);
  return { extras, times, slots, end: slots + sizes.slots * sizes.slotBytes };
}

function alignUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

export function createRing(sizes: RingSizes): RingMemory {
  invariant(sizes.slots >= 1 && sizes.slots < 2 ** 31, 'ring: slots out of range');
  invariant(sizes.slotBytes >= 64 && sizes.slotBytes % 64 === 0, 'ring: slotBytes must be a multiple of 64');
  invariant(sizes.extraBytes % 8 === 0, 'ring: extraBytes must be a multiple of 8');
  const buffer = new SharedArrayBuffer(offsetsOf(sizes).end);
  new Int32Array(buffer).set([sizes.slots, sizes.slotBytes, sizes.extraBytes], SIZES_WORD);
  return new RingMemory(buffer);
}
