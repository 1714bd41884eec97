/** Sockets to the kernel's netfilter subsystems, and whether one of them is there. */
import { constants } from 'node:os';
import { errnoName } from '../../base/errno.js';
import { errnoCode, SystemFailure } from '../../base/errors.js';
import { AF_NETLINK, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW } from '../../base/libc/constants.js';
import {
  bindNetlink,
  closeDescriptor,
  openSocket,
  receiveNetlink,
  sendNetlink,
} from '../../base/libc/socket.js';
import { NETLINK_NETFILTER, NLMSG_ERROR } from './constants.js';
import {
  FIRST_ATTRIBUTE_OFFSET,
  NLMSG_TYPE_OFFSET,
  NLMSGERR_ERROR_OFFSET,
  writeRequestHeader,
} from './message.js';

/** A nonblocking netlink socket to the netfilter subsystems. EPROTONOSUPPORT when the kernel has none. */
export function openNetfilterSocket(): number {
  try {
    return openSocket(
      AF_NETLINK,
      SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
      NETLINK_NETFILTER,
      'open netlink socket',
    );
  } catch (error) {
    if (errnoCode(error) !== 'EPROTONOSUPPORT') throw error;
    const what = 'open netlink socket: this kernel has no nfnetlink (load the module nf_conntrack_netlink)';
    throw new SystemFailure('open netlink socket', 'EPROTONOSUPPORT', what, { cause: error });
  }
}

/** What the kernel answered with NLMSG_ERROR. */
export function refusal(operation: string, errno: number): SystemFailure {
  const code = errnoName(errno);
  const why =
    code === 'EPERM' ? 'not permitted: this needs the capability CAP_NET_ADMIN (run as root)' : code;
  return new SystemFailure(operation, code, `${operation}: ${why}`);
}

/**
 * Ask a subsystem for something small; false when the kernel answers that there is no such subsystem (EINVAL,
 * after it tried to load the module). Any other answer, a refusal too, comes from the subsystem. A netlink
 * answer waits before send returns.
 */
export function hasNetfilterSubsystem(subsystem: number, message: number): boolean {
  const fd = openNetfilterSocket();
  try {
    bindNetlink(fd);
    const request = new DataView(new ArrayBuffer(FIRST_ATTRIBUTE_OFFSET)); // its nfgenmsg is all zeros
    writeRequestHeader(request, request.byteLength, (subsystem << 8) | message);
    sendNetlink(fd, new Uint8Array(request.buffer), 'ask netfilter subsystem');
    const answer = new Uint8Array(4096);
    receiveNetlink(fd, answer, 'ask netfilter subsystem');
    const view = new DataView(answer.buffer);
    if (view.getUint16(NLMSG_TYPE_OFFSET, true) !== NLMSG_ERROR) return true;
    return view.getInt32(NLMSGERR_ERROR_OFFSET, true) !== -constants.errno.EINVAL;
  } finally {
    closeDescriptor(fd);
  }
}
