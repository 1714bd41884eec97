/**
 * The netlink socket that conntrack events arrive on. Main thread; the kernel writes straight into the ring's
 * slots.
 */
import { fstatSync } from 'node:fs';
import { errnoCode, SystemFailure } from '../../base/errors.js';
import {
  SK_MEMINFO_DROPS,
  SK_MEMINFO_RCVBUF,
  SK_MEMINFO_RMEM_ALLOC,
  SK_MEMINFO_VARS,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SOL_SOCKET,
} from '../../base/libc/constants.js';
import { prepareReceiveMemory, type ReceiveMemory, receiveMessages } from '../../base/libc/receive.js';
import {
  attachFilter,
  bindNetlink,
  closeDescriptor,
  getSocketOption,
  Poller,
  setSocketOption,
} from '../../base/libc/socket.js';
import type { RingMemory } from '../ring/layout.js';
import type { RingProducer } from '../ring/producer.js';
import {
  IPCTNL_MSG_CT_GET_STATS,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_BROADCAST_ERROR,
  NETLINK_DROP_MEMBERSHIP,
  NETLINK_NO_ENOBUFS,
  NFNL_SUBSYS_CTNETLINK,
  NFNLGRP_CONNTRACK_DESTROY,
  NFNLGRP_CONNTRACK_NEW,
  SOL_NETLINK,
} from './constants.js';
import { hasNetfilterSubsystem, openNetfilterSocket } from './netfilter.js';
import { protocolFilter } from './protocol-filter.js';

const GROUPS = [
  ['NEW', NFNLGRP_CONNTRACK_NEW],
  ['DESTROY', NFNLGRP_CONNTRACK_DESTROY],
] as const;

/** What one event costs of the buffer, whatever its length (measured on 6.18: skb truesize). */
export const EVENT_TRUESIZE_BYTES = 1280;

const LARGEST_RCVBUF_BYTES = 0x3fffffff;

export interface EventSocketOptions {
  /**
   * Receive buffer to ask for. The kernel doubles it: it holds 2 x rcvbufBytes / EVENT_TRUESIZE_BYTES events.
   */
  readonly rcvbufBytes: number;
  /** Protocols to let through (protocol-filter.ts). */
  readonly protocols: readonly number[] | 'all';
}

/** What SO_MEMINFO says; one object, overwritten by the next `memInfo`. */
export interface MemInfo {
  /** Bytes of buffer in use now. */
  queuedBytes: number;
  /** Total bytes of buffer, as the kernel doubled them. */
  limitBytes: number;
  /** Messages the kernel dropped on this socket since it was opened, modulo 2^32. */
  drops: number;
}

export class EventSocket {
  /** What was granted, in the unit that was asked for (half of what the kernel reports). */
  readonly rcvbufBytes: number;
  readonly #fd: number;
  readonly #memory: ReceiveMemory;
  readonly #poller: Poller;
  readonly #memInfoWords = new Uint32Array(SK_MEMINFO_VARS);
  readonly #memInfo: MemInfo = { queuedBytes: 0, limitBytes: 0, drops: 0 };
  #open = true;

  private constructor(fd: number, ring: RingMemory, { rcvbufBytes, protocols }: EventSocketOptions) {
    this.#fd = fd;
    this.#memory = prepareReceiveMemory(ring);
    this.rcvbufBytes = setReceiveBuffer(fd, rcvbufBytes);
    // Without it an overrun congests the socket: the kernel then drops everything until the queue is empty,
    // also what there is room for again.
    setSocketOption(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1, 'set NETLINK_NO_ENOBUFS');
    const filter = protocolFilter(protocols);
    if (filter !== undefined) attachFilter(fd, filter);
    bindNetlink(fd);
    this.#poller = new Poller(fd); // last: whoever catches an error of the others closes only the descriptor
  }

  /**
   * Open a socket that receives into `ring` (createRing with extraBytes = RECEIVE_EXTRA_BYTES). No events
   * until `join`. Throws SystemFailure: ENOTSUP (not Linux, no koffi), EPROTONOSUPPORT (no nfnetlink in this
   * kernel), ...
   */
  static open(ring: RingMemory, options: EventSocketOptions): EventSocket {
    const fd = openNetfilterSocket();
    try {
      return new EventSocket(fd, ring, options);
    } catch (error) {
      closeDescriptor(fd);
      throw error;
    }
  }

  /**
   * Join the groups NEW and DESTROY. EPERM without CAP_NET_ADMIN; EPROTONOSUPPORT when the kernel has no
   * ctnetlink.
   */
  join(): void {
    for (const [name, group] of GROUPS) {
      try {
        setSocketOption(this.#fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, `join group ${name}`);
      } catch (error) {
        if (errnoCode(error) !== 'EPERM') throw error;
        const what = `join group ${name}: not permitted: this needs the capability CAP_NET_ADMIN (run as root)`;
        throw new SystemFailure(`join group ${name}`, 'EPERM', what, { cause: error });
      }
    }
    // Joining succeeds, and loads the module if there is one; where there is none, nobody will ever send.
    if (!hasNetfilterSubsystem(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS)) {
      const what = 'join groups: this kernel has no ctnetlink (load the module nf_conntrack_netlink)';
      throw new SystemFailure('join groups', 'EPROTONOSUPPORT', what);
    }
  }

  /** Leave both groups; what is queued can still be received. */
  leave(): void {
    for (const [name, group] of GROUPS)
      setSocketOption(this.#fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group, `leave group ${name}`);
  }

  /** Tells it from other sockets, as sock_diag and /proc/net/netlink name them. */
  get inode(): number {
    return fstatSync(this.#fd).ino;
  }

  /**
   * Whether the kernel keeps a DESTROY that finds no room here, in the table, and sends it again every 10 ms
   * to all listeners (NETLINK_BROADCAST_ERROR). A NEW is sent again together with the next event of its
   * entry.
   */
  setReliable(on: boolean): void {
    setSocketOption(
      this.#fd,
      SOL_NETLINK,
      NETLINK_BROADCAST_ERROR,
      Number(on),
      'set NETLINK_BROADCAST_ERROR',
    );
  }

  /**
   * One recvmmsg into the free slots from `producer.index`, at most `limit` and not past the end of the
   * memory. Answers how many arrived; the caller publishes them. Descriptors hold the messages' real lengths,
   * which may exceed the slot.
   */
  receive(producer: RingProducer, limit: number): number {
    const count = producer.writable(limit);
    return count === 0 ? 0 : receiveMessages(this.#fd, this.#memory, producer.index, count);
  }

  memInfo(): Readonly<MemInfo> {
    const words = this.#memInfoWords;
    getSocketOption(this.#fd, SOL_SOCKET, SO_MEMINFO, words, 'read SO_MEMINFO');
    this.#memInfo.queuedBytes = words[SK_MEMINFO_RMEM_ALLOC];
    this.#memInfo.limitBytes = words[SK_MEMINFO_RCVBUF];
    this.#memInfo.drops = words[SK_MEMINFO_DROPS];
    return this.#memInfo;
  }

  /**
   * Waits without blocking the thread: true when something can be received, false after the time or `wake`.
   */
  poll(timeoutMs: number): Promise<boolean> {
    return this.#poller.wait(timeoutMs);
  }

  /** End the poll under way, if any. */
  wake(): void {
    this.#poller.wake();
  }

  /** Ends a poll under way. Every call after the first does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#poller.close();
    closeDescriptor(this.#fd);
  }
}

function setReceiveBuffer(fd: number, rcvbufBytes: number): number {
  const bytes = Math.min(rcvbufBytes, LARGEST_RCVBUF_BYTES);
  try {
    setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes, 'set SO_RCVBUFFORCE');
  } catch (error) {
    if (errnoCode(error) !== 'EPERM') throw error;
    setSocketOption(fd, SOL_SOCKET, SO_RCVBUF, bytes, 'set SO_RCVBUF'); // capped by net.core.rmem_max
  }
  const granted = new Uint32Array(1);
  getSocketOption(fd, SOL_SOCKET, SO_RCVBUF, granted, 'read SO_RCVBUF');
  return granted[0] / 2;
}
