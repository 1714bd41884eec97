/**
 * The one module that touches pointers (load.ts loads koffi for it). koffi is an optional dependency and is
 * loaded at the first call that needs it: reading logs works where it is missing. Every wrapper throws
 * SystemFailure with the errno's name.
 *
 * The kernel writes through raw pointers. Memory that a pointer leads to is held by the object that the
 * caller passes in again at each call (ReceiveMemory, Poller) or by this module; nothing else may keep an
 * address.
 */

import { invariant } from '../errors.js';
import { check, libc, load } from './call.js';
import { AF_NETLINK, MSG_DONTWAIT, SO_ATTACH_FILTER, SOL_SOCKET } from './constants.js';
import type { LoadedLibc } from './load.js';
import { SOCKADDR_NL_BYTES } from './receive.js';

// Sockets

/** Answers the descriptor. `operation` names the intent in the error. */
export function openSocket(domain: number, type: number, protocol: number, operation = 'socket'): number {
  return check(libc('socket')(domain, type, protocol), operation);
}

/** Bind to a port of the kernel's choice; groups are joined one by one afterwards. */
export function bindNetlink(fd: number): void {
  const address = new Uint8Array(SOCKADDR_NL_BYTES);
  new DataView(address.buffer).setUint16(0, AF_NETLINK, true);
  check(libc('bind')(fd, address, address.length), 'bind netlink socket');
}

export function setSocketOption(
  fd: number,
  level: number,
  name: number,
  value: number,
  operation: string,
): void {
  check(libc('setsockopt')(fd, level, name, new Int32Array([value]), 4), operation);
}

const optionLength = new Uint32Array(1);

/** Fills `value` as far as the kernel has words for it; answers how many bytes it wrote. */
export function getSocketOption(
  fd: number,
  level: number,
  name: number,
  value: Uint32Array | Int32Array,
  operation: string,
): number {
  optionLength[0] = value.byteLength;
  check(libc('getsockopt')(fd, level, name, value, optionLength), operation);
  return optionLength[0];
}

/**
 * Attach a classic BPF program: `struct sock_filter` of 8 bytes each (protocol-filter.ts). The kernel copies
 * it.
 */
export function attachFilter(fd: number, program: Uint8Array): void {
  // struct sock_fprog { unsigned short len; struct sock_filter *filter @8 }
  const fprog = new DataView(new ArrayBuffer(16));
  fprog.setUint16(0, program.length / 8, true);
  fprog.setBigUint64(8, load().address(program), true);
  const bytes = new Uint8Array(fprog.buffer);
  check(libc('setsockopt')(fd, SOL_SOCKET, SO_ATTACH_FILTER, bytes, 16), 'attach socket filter');
  invariant(program.length > 0, 'filter: empty program'); // also keeps `program` alive across the call
}

/** Send one datagram to the kernel. */
export function sendNetlink(fd: number, message: Uint8Array, operation: string): void {
  check(libc('send')(fd, message, message.length, 0), operation);
}

/** Receive the datagram that waits. EAGAIN when none does. Answers its length. */
export function receiveNetlink(fd: number, into: Uint8Array, operation: string): number {
  return check(libc('recv')(fd, into, into.length, MSG_DONTWAIT), operation);
}

export function closeDescriptor(fd: number): void {
  check(libc('close')(fd), 'close');
}

/**
 * Waits on the event loop (uv_poll) for one descriptor to become readable: no thread of libuv's pool is held,
 * and a wait can be ended. Close it before the descriptor.
 */
export class Poller {
  readonly #handle: ReturnType<LoadedLibc['koffi']['node']['poll']>;
  #finish: ((readable: boolean) => void) | undefined;
  #closed = false;

  constructor(fd: number) {
    this.#handle = load().node.poll(fd, () => {});
    this.#handle.stop();
  }

  /** True when something can be read, false after the time or `wake`. One wait at a time. */
  wait(timeoutMs: number): Promise<boolean> {
    invariant(this.#finish === undefined, 'poller: already waiting');
    invariant(!this.#closed, 'poller: closed'); // koffi would follow a null pointer
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.wake(), timeoutMs);
      this.#finish = (readable) => {
        this.#finish = undefined;
        clearTimeout(timer);
        this.#handle.stop();
        resolve(readable);
      };
      // koffi calls back outside any callback scope, where promises do not go on; setImmediate runs in the
      // same turn.
      this.#handle.start(() => {
        this.#handle.stop();
        setImmediate(() => this.#finish?.(true));
      });
    });
  }

  /** End the wait under way, if any. */
  wake(): void {
    this.#finish?.(false);
  }

  close(): void {
    this.wake();
    this.#closed = true;
    this.#handle.close();
  }
}
