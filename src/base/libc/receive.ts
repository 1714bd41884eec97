import { invariant } from '../errors.js';
import { failure, libc, load } from './call.js';
import { MSG_DONTWAIT, MSG_TRUNC } from './constants.js';

// Receiving into a ring

export const SOCKADDR_NL_BYTES = 12;
const IOVEC_OFFSET = 16;
/** struct mmsghdr (include/linux/socket.h; x86-64 and arm64 layout). */
export const DESCRIPTOR_BYTES = 64;

/**
 * What a ring for `recvmmsg` keeps beside each descriptor: sockaddr_nl (12, padded to 16), then iovec (16).
 */
export const RECEIVE_EXTRA_BYTES = 32;
/** Offset of the sender's port id (sockaddr_nl.nl_pid, u32) in a slot's extras; 0 is the kernel. */
export const SENDER_PORT_OFFSET = 4;

/**
 * Where in one buffer the kernel is to find `slots` descriptors, as many extras, and room for as many
 * messages.
 */
export interface ReceiveSlots {
  readonly buffer: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly slots: number;
  readonly slotBytes: number;
  readonly extraBytes: number;
  readonly descriptorsOffset: number;
  readonly extrasOffset: number;
  offsetOf(slot: number): number;
}

/** A ring whose descriptors lead the kernel to its slots. Holding it keeps the memory alive. */
export interface ReceiveMemory {
  readonly ring: ReceiveSlots;
  /** Address of the first descriptor; below 2^53 on every supported architecture. */
  readonly descriptorsAddress: number;
}

/** Write the pointers of every descriptor and iovec, once. The ring must have RECEIVE_EXTRA_BYTES extras. */
export function prepareReceiveMemory(ring: ReceiveSlots): ReceiveMemory {
  invariant(ring.extraBytes === RECEIVE_EXTRA_BYTES, 'receive ring: wrong extras');
  const base = Number(load().address(ring.bytes));
  const words = new Uint32Array(ring.buffer, 0, Math.floor(ring.buffer.byteLength / 4));
  // Two words instead of one BigInt: this runs once, in the interpreter, over all slots.
  const point = (at: number, address: number): void => {
    words[at / 4] = address;
    words[at / 4 + 1] = address / 2 ** 32;
  };
  for (let slot = 0; slot < ring.slots; slot++) {
    const descriptor = ring.descriptorsOffset + slot * DESCRIPTOR_BYTES;
    const name = ring.extrasOffset + slot * RECEIVE_EXTRA_BYTES;
    const iovec = name + IOVEC_OFFSET;
    point(descriptor, base + name); // msg_name
    words[descriptor / 4 + 2] = SOCKADDR_NL_BYTES; // msg_namelen
    point(descriptor + 16, base + iovec); // msg_iov
    words[descriptor / 4 + 6] = 1; // msg_iovlen
    point(iovec, base + ring.offsetOf(slot)); // iov_base
    words[iovec / 4 + 2] = ring.slotBytes; // iov_len
  }
  return { ring, descriptorsAddress: base + ring.descriptorsOffset };
}

/**
 * Receive up to `count` messages into the slots from `slot`; answers how many, 0 when nothing waits. Lengths
 * are real ones.
 */
export function receiveMessages(fd: number, memory: ReceiveMemory, slot: number, count: number): number {
  const address = memory.descriptorsAddress + slot * DESCRIPTOR_BYTES;
  const received: number = libc('recvmmsg')(fd, address, count, MSG_DONTWAIT | MSG_TRUNC, 0);
  if (received >= 0) return received;
  const error = failure('recvmmsg');
  if (error.code === 'EAGAIN' || error.code === 'EINTR') return 0;
  throw error;
}
