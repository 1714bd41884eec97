/**
 * The 16-byte header that nlmon puts before each netlink message (link type 253, LINUX_NETLINK; the same
 * shape as Linux cooked capture): packet type, ARPHRD 824, length of an address and 8 bytes of it (unused),
 * netlink family; all u16 big-endian.
 */
import { NETLINK_NETFILTER } from '../netlink/constants.js';

export const COOKED_HEADER_BYTES = 16;

/** Packet types of include/uapi/linux/if_packet.h. */
export const PacketType = {
  /** Says nothing about the direction. */
  outgoing: 4,
  /** On its way to user space. */
  toUser: 6,
  /** On its way to the kernel. */
  toKernel: 7,
} as const;

const ARPHRD_NETLINK = 824;

export function packetTypeAt(view: DataView, at: number): number {
  return view.getUint16(at);
}

export function familyAt(view: DataView, at: number): number {
  return view.getUint16(at + 14);
}

export function writeCookedHeader(bytes: Uint8Array, at: number): void {
  bytes.fill(0, at, at + COOKED_HEADER_BYTES);
  bytes[at + 1] = PacketType.toUser;
  bytes[at + 2] = ARPHRD_NETLINK >>> 8;
  bytes[at + 3] = ARPHRD_NETLINK & 0xff;
  bytes[at + 15] = NETLINK_NETFILTER;
}
