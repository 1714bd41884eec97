/**
 * Sizes and places in a netlink message of the netfilter subsystems. Headers are in the byte order of the
 * machine, which is little-endian wherever we run; payloads of attributes are big-endian.
 *
 *   | nlmsghdr 16: u32 length, u16 type, u16 flags, u32 sequence, u32 port | nfgenmsg 4: u8 family, ...
 *   | nlattr 4: u16 length, u16 type | payload, padded to 4 | nlattr ...
 *
 * include/uapi/linux/netlink.h and include/uapi/linux/netfilter/nfnetlink.h.
 */
import {
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_GET,
  IPCTNL_MSG_CT_NEW,
  NFNL_SUBSYS_CTNETLINK,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REQUEST,
} from './constants.js';

// struct nlmsghdr
export const NLMSG_HEADER_BYTES = 16;
export const NLMSG_LENGTH_OFFSET = 0;
export const NLMSG_TYPE_OFFSET = 4;
export const NLMSG_FLAGS_OFFSET = 6;
const NLMSG_SEQUENCE_OFFSET = 8;
/** struct nlmsgerr, which follows the header of an NLMSG_ERROR, begins with the negated errno. */
export const NLMSGERR_ERROR_OFFSET = NLMSG_HEADER_BYTES;

/** struct nfgenmsg, whose first byte is the address family. */
export const NFGENMSG_BYTES = 4;
export const NFGENMSG_FAMILY_OFFSET = NLMSG_HEADER_BYTES;
export const FIRST_ATTRIBUTE_OFFSET = NLMSG_HEADER_BYTES + NFGENMSG_BYTES;

/** struct nlattr: its length counts this header and the payload, not the padding. */
export const ATTRIBUTE_HEADER_BYTES = 4;
export const ATTRIBUTE_TYPE_OFFSET = 2;
export const NLA_F_NESTED = 0x8000;
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER, which are not part of the number. */
export const NLA_TYPE_MASK = 0x3fff;

/** Types of conntrack's messages: the subsystem in the high byte. */
export const MSG_CT_NEW = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW;
export const MSG_CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET;
export const MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;
/** The kernel sets both on a new entry, neither on an update. */
export const NLM_F_NEW_ENTRY = NLM_F_CREATE | NLM_F_EXCL;

/** Messages and attributes begin on a boundary of 4 bytes (NLMSG_ALIGN, NLA_ALIGN). Only below 2^31. */
export function aligned(bytes: number): number {
  return (bytes + 3) & ~3;
}

/** Write the header of a request whose total length is `lengthBytes`; its port stays 0, this process. */
export function writeRequestHeader(
  view: DataView,
  lengthBytes: number,
  type: number,
  flags = 0,
  sequence = 0,
): void {
  view.setUint32(NLMSG_LENGTH_OFFSET, lengthBytes, true);
  view.setUint16(NLMSG_TYPE_OFFSET, type, true);
  view.setUint16(NLMSG_FLAGS_OFFSET, NLM_F_REQUEST | flags, true);
  view.setUint32(NLMSG_SEQUENCE_OFFSET, sequence, true);
}
