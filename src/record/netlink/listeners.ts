/**
 * Whether another socket of this network namespace listens to conntrack's events in reliable mode
 * (NETLINK_BROADCAST_ERROR). While the buffer of such a socket is full, the kernel sends the same NEW and
 * DESTROY again, to every listener. Asked through sock_diag: /proc/net/netlink shows no flags. Sockets of
 * other namespaces are not shown, though one that listens to all (NETLINK_LISTEN_ALL_NSID) could be such a
 * listener too.
 */
import { SystemFailure } from '../../base/errors.js';
import { AF_NETLINK, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW } from '../../base/libc/constants.js';
import {
  bindNetlink,
  closeDescriptor,
  openSocket,
  receiveNetlink,
  sendNetlink,
} from '../../base/libc/socket.js';
import {
  NDIAG_FLAG_BROADCAST_ERROR,
  NDIAG_SHOW_FLAGS,
  NDIAG_SHOW_GROUPS,
  NETLINK_DIAG_FLAGS,
  NETLINK_DIAG_GROUPS,
  NETLINK_NETFILTER,
  NETLINK_SOCK_DIAG,
  NFNLGRP_CONNTRACK_DESTROY,
  NFNLGRP_CONNTRACK_NEW,
  NLM_F_DUMP,
  NLMSG_DONE,
  SOCK_DIAG_BY_FAMILY,
} from './constants.js';
import {
  ATTRIBUTE_HEADER_BYTES,
  ATTRIBUTE_TYPE_OFFSET,
  aligned,
  NLMSG_HEADER_BYTES,
  NLMSG_LENGTH_OFFSET,
  NLMSG_TYPE_OFFSET,
  writeRequestHeader,
} from './message.js';

const GROUPS_MASK = (1 << (NFNLGRP_CONNTRACK_NEW - 1)) | (1 << (NFNLGRP_CONNTRACK_DESTROY - 1));
/** The kernel makes the datagrams of a dump no larger than the largest buffer that it was ever read with. */
const ANSWER_BYTES = 32 * 1024;
/**
 * struct netlink_diag_msg { u8 family, type, protocol, state; u32 portid, dst_portid, dst_group, ino; u32
 * cookie[2] }
 */
const DIAG_INODE_OFFSET = NLMSG_HEADER_BYTES + 16;
const DIAG_ATTRIBUTES_OFFSET = NLMSG_HEADER_BYTES + 28;
/** With a value of one word; longer ones are bit masks whose first word has what is looked for. */
const ATTRIBUTE_BYTES = ATTRIBUTE_HEADER_BYTES + 4;

export class Listeners {
  readonly #answer = new DataView(new ArrayBuffer(ANSWER_BYTES));
  readonly #request = diagRequest();
  #fd: number | undefined;

  /** `ownInode`: a socket that does not count. */
  constructor(readonly ownInode: number) {}

  /**
   * True also when the kernel does not tell (built without NETLINK_DIAG). Takes 40 microseconds where there
   * are few sockets.
   */
  someIsReliable(): boolean {
    try {
      return this.#ask();
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      return true;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeDescriptor(this.#fd);
    this.#fd = undefined;
  }

  #ask(): boolean {
    this.#fd ??= openDiagSocket();
    const view = this.#answer;
    const bytes = new Uint8Array(view.buffer);
    sendNetlink(this.#fd, this.#request, 'ask sock_diag');
    let found = false;
    for (;;) {
      const length = receiveNetlink(this.#fd, bytes, 'read sock_diag');
      for (let at = 0; at < length; ) {
        const type = view.getUint16(at + NLMSG_TYPE_OFFSET, true);
        if (type === NLMSG_DONE) return found;
        const end = at + view.getUint32(at + NLMSG_LENGTH_OFFSET, true);
        // NLMSG_ERROR, or not from the kernel
        if (type !== SOCK_DIAG_BY_FAMILY || end < at + DIAG_ATTRIBUTES_OFFSET || end > length) return true;
        found ||= this.#isReliable(at, end);
        at = aligned(end);
      }
    }
  }

  #isReliable(at: number, end: number): boolean {
    const view = this.#answer;
    if (view.getUint32(at + DIAG_INODE_OFFSET, true) === this.ownInode) return false;
    let groups = 0;
    let flags = NDIAG_FLAG_BROADCAST_ERROR; // what is not told may be
    for (let attribute = at + DIAG_ATTRIBUTES_OFFSET; attribute + ATTRIBUTE_BYTES <= end; ) {
      const type = view.getUint16(attribute + ATTRIBUTE_TYPE_OFFSET, true);
      const value = view.getUint32(attribute + ATTRIBUTE_HEADER_BYTES, true);
      if (type === NETLINK_DIAG_GROUPS) groups = value;
      else if (type === NETLINK_DIAG_FLAGS) flags = value;
      attribute += Math.max(ATTRIBUTE_BYTES, aligned(view.getUint16(attribute, true)));
    }
    return (groups & GROUPS_MASK) !== 0 && (flags & NDIAG_FLAG_BROADCAST_ERROR) !== 0;
  }
}

function openDiagSocket(): number {
  const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = openSocket(AF_NETLINK, type, NETLINK_SOCK_DIAG, 'open sock_diag socket');
  try {
    bindNetlink(fd);
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
  return fd;
}

/**
 * struct nlmsghdr, struct netlink_diag_req { u8 family, protocol; u16 pad; u32 ino, show; u32 cookie[2] }:
 * all netfilter sockets
 */
function diagRequest(): Uint8Array {
  const request = new DataView(new ArrayBuffer(NLMSG_HEADER_BYTES + 20));
  writeRequestHeader(request, request.byteLength, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
  request.setUint8(NLMSG_HEADER_BYTES, AF_NETLINK);
  request.setUint8(NLMSG_HEADER_BYTES + 1, NETLINK_NETFILTER);
  request.setUint32(NLMSG_HEADER_BYTES + 8, NDIAG_SHOW_GROUPS | NDIAG_SHOW_FLAGS, true);
  return new Uint8Array(request.buffer);
}
