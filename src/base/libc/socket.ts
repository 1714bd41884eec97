/**
 * The one module that touches pointers (load-libc.ts loads koffi for it). koffi is an optional dependency and is loaded at the first call that needs
 * it: reading logs works where it is missing. Every wrapper throws SystemFailure with the errno's name.
 *
 * The kernel writes through raw pointers. Memory that a pointer leads to is held by the object that the caller passes in again
 * at each call (ReceiveMemory, Poller) or by this module; nothing else may keep an address.
 */
import { getSystemErrorMap } from 'node:util';
import { invariant, SystemFailure } from '../errors.js';
import { DESCRIPTOR_BYTES, type RingMemory } from '../../record/ring/layout.js';
import {
  _LINUX_CAPABILITY_VERSION_3,
  AF_NETLINK,
  MSG_DONTWAIT,
  MSG_TRUNC,
  SO_ATTACH_FILTER,
  SOL_SOCKET,
} from '../../record/netlink/constants.js';
import { captureSupport, type LoadedLibc, loadLibc } from './load.js';

type LibcFunction = ReturnType<LoadedLibc['library']['func']>;

const PROTOTYPES = {
  socket: 'int socket(int domain, int type, int protocol)',
  bind: 'int bind(int fd, const void *address, uint32 length)',
  setsockopt: 'int setsockopt(int fd, int level, int name, const void *value, uint32 length)',
  getsockopt: 'int getsockopt(int fd, int level, int name, void *value, void *length)',
  close: 'int close(int fd)',
  recvmmsg: 'int recvmmsg(int fd, uintptr_t messages, uint32 count, int flags, uintptr_t timeout)',
  prctl: 'int prctl(int option, ulong arg2, ulong arg3, ulong arg4, ulong arg5)',
  capget: 'int capget(void *header, void *data)',
  capset: 'int capset(void *header, const void *data)',
  flock: 'int flock(int fd, int operation)',
  renameat2:
    'int renameat2(int oldDirectory, const char *old, int newDirectory, const char *new, uint32 flags)',
  openlog: 'void openlog(uintptr_t ident, int option, int facility)',
  syslog: 'void syslog(int priority, const char *format, ...)',
  send: 'long send(int fd, const void *data, size_t length, int flags)',
  recv: 'long recv(int fd, void *data, size_t length, int flags)',
  usleep: 'int usleep(uint32 us)',
  clock_gettime: 'int clock_gettime(int clock, void *time)',
  gettid: 'int gettid()',
  poll: 'int poll(void *descriptors, ulong count, int timeoutMs)',
  fcntl: 'int fcntl(int fd, int command, int argument)',
  _exit: 'void _exit(int status)',
  execv: 'int execv(const char *path, const char **argv)',
} as const;
type FunctionName = keyof typeof PROTOTYPES;

let loaded: LoadedLibc | undefined;
const functions = new Map<FunctionName, LibcFunction>();

function load(): LoadedLibc['koffi'] {
  loaded ??= loadLibc();
  return loaded.koffi;
}

/** The function bound at its first use; ENOSYS when this C library does not have it. */
function libc(name: FunctionName): LibcFunction {
  const bound = functions.get(name);
  if (bound !== undefined) return bound;
  load();
  try {
    const found = loaded!.library.func(PROTOTYPES[name]);
    functions.set(name, found);
    return found;
  } catch (error) {
    throw new SystemFailure(name, 'ENOSYS', `${name}: this C library does not have it`, { cause: error });
  }
}

/** As in "ENOSPC". */
export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `E${errno}`;
}

function failure(operation: string, path?: string): SystemFailure {
  const errno = load().errno();
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, `error ${errno}`];
  const where = path === undefined ? '' : ` ${path}`;
  return new SystemFailure(operation, code, `${operation}${where}: ${text} (${code})`, {
    ...(path === undefined ? {} : { path }),
  });
}

function check(result: number, operation: string): number {
  if (result < 0) throw failure(operation);
  return result;
}

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

/** Attach a classic BPF program: `struct sock_filter` of 8 bytes each (filter.ts). The kernel copies it. */
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

// Receiving into a ring

const SOCKADDR_NL_BYTES = 12;
const IOVEC_OFFSET = 16;
/** What a ring for `recvmmsg` keeps beside each descriptor: sockaddr_nl (12, padded to 16), then iovec (16). */
export const RECEIVE_EXTRA_BYTES = 32;
/** Offset of the sender's port id (sockaddr_nl.nl_pid, u32) in a slot's extras; 0 is the kernel. */
export const SENDER_PORT_OFFSET = 4;

/** A ring whose descriptors lead the kernel to its slots. Holding it keeps the memory alive. */
export interface ReceiveMemory {
  readonly ring: RingMemory;
  /** Address of the first descriptor; below 2^53 on every supported architecture. */
  readonly descriptorsAddress: number;
}

/** Write the pointers of every descriptor and iovec, once. The ring must have RECEIVE_EXTRA_BYTES extras. */
export function prepareReceiveMemory(ring: RingMemory): ReceiveMemory {
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

/** Receive up to `count` messages into the slots from `slot`; answers how many, 0 when nothing waits. Lengths are real ones. */
export function receiveMessages(fd: number, memory: ReceiveMemory, slot: number, count: number): number {
  const address = memory.descriptorsAddress + slot * DESCRIPTOR_BYTES;
  const received: number = libc('recvmmsg')(fd, address, count, MSG_DONTWAIT | MSG_TRUNC, 0);
  if (received >= 0) return received;
  const error = failure('recvmmsg');
  if (error.code === 'EAGAIN' || error.code === 'EINTR') return 0;
  throw error;
}

/**
 * Waits on the event loop (uv_poll) for one descriptor to become readable: no thread of libuv's pool is held, and a wait can be
 * ended. Close it before the descriptor.
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
      // koffi calls back outside any callback scope, where promises do not go on; setImmediate runs in the same turn.
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

// Files

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Take a lock on an open file. False when `nonblocking` and somebody else holds it. Released when the file is closed. */
export function flock(fd: number, exclusive: boolean, nonblocking: boolean): boolean {
  const operation = (exclusive ? LOCK_EX : LOCK_SH) | (nonblocking ? LOCK_NB : 0);
  if (libc('flock')(fd, operation) === 0) return true;
  const error = failure('flock');
  if (error.code === 'EAGAIN') return false;
  throw error;
}

// include/uapi/linux/fcntl.h, include/uapi/asm-generic/fcntl.h
const F_SETLEASE = 1024;
const F_WRLCK = 1;
const F_UNLCK = 2;

/** True when nobody else has the file open for anything (a write lease is granted only then); false also when that cannot be told. */
export function isOnlyOpener(fd: number): boolean {
  if (libc('fcntl')(fd, F_SETLEASE, F_WRLCK) !== 0) return false;
  libc('fcntl')(fd, F_SETLEASE, F_UNLCK);
  return true;
}

// include/uapi/asm-generic/poll.h
const POLLOUT = 4;
/** struct pollfd { int fd; short events; short revents } */
const pollfd = new Int32Array(2);
let canPoll: boolean | undefined;

/**
 * Whether a short write (up to PIPE_BUF) to a pipe, socket or terminal returns at once, if only with an error; true also where that
 * cannot be asked. Files have always room.
 */
export function hasRoom(fd: number): boolean {
  canPoll ??= captureSupport().available;
  if (!canPoll) return true;
  pollfd[0] = fd;
  pollfd[1] = POLLOUT;
  return libc('poll')(pollfd, 1, 0) !== 0;
}

const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;

/** Rename that never replaces: EEXIST when `to` exists; ENOSYS or EINVAL where it is not offered (use link and unlink). */
export function renameNoReplace(from: string, to: string): void {
  if (libc('renameat2')(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) === 0) return;
  throw failure(`rename ${from} to`, to);
}

// The process

// include/uapi/asm-generic/fcntl.h
const F_SETFD = 2;

/** Take the close-on-exec mark off a descriptor. */
export function keepAcrossExec(fd: number): void {
  check(libc('fcntl')(fd, F_SETFD, 0), `keep descriptor ${fd}`);
}

/** End the process and wait for no thread: `process.exit` waits for those that hang in a system call. */
export function exitNow(code: number): void {
  libc('_exit')(code);
}

/** Become another program; answers only by throwing SystemFailure. */
export function execv(path: string, args: readonly string[]): never {
  libc('execv')(path, [...args, null]);
  throw failure('execv', path);
}

// Rights, of the calling thread only

/** prctl(2); answers its result. */
export function prctl(option: number, arg2 = 0, arg3 = 0, arg4 = 0, arg5 = 0): number {
  return check(libc('prctl')(option, arg2, arg3, arg4, arg5), `prctl ${option}`);
}

/** Capability sets as bit masks: bit n is capability number n. */
export interface CapabilitySets {
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
}

/** The calling thread's sets. */
export function capget(): CapabilitySets {
  const words = new Uint32Array(6);
  check(libc('capget')(new Uint32Array([_LINUX_CAPABILITY_VERSION_3, 0]), words), 'capget');
  const join = (low: number): bigint => BigInt(words[low]) | (BigInt(words[low + 3]) << 32n);
  return { effective: join(0), permitted: join(1), inheritable: join(2) };
}

/** Set the calling thread's sets. EPERM when it would gain something. */
export function capset({ effective, permitted, inheritable }: CapabilitySets): void {
  const sets = [effective, permitted, inheritable];
  const words = [...sets, ...sets.map((set) => set >> 32n)].map((set) => Number(set & 0xffffffffn));
  const header = new Uint32Array([_LINUX_CAPABILITY_VERSION_3, 0]);
  check(libc('capset')(header, new Uint32Array(words)), 'capset');
}

/** The kernel's id of the calling thread, as in /proc/self/task. */
export function gettid(): number {
  return libc('gettid')();
}

// System log

export const LOG_PID = 1;
export const LOG_DAEMON = 3 << 3;
/** syslog(3) severities. */
export const SyslogSeverity = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;

// The C library keeps the pointer that openlog gets, not a copy.
let identMemory: Uint8Array | undefined;

export function openlog(ident: string): void {
  const memory = new Uint8Array(new SharedArrayBuffer(Buffer.byteLength(ident) + 1));
  memory.set(Buffer.from(ident));
  libc('openlog')(load().address(memory), LOG_PID, LOG_DAEMON);
  identMemory = memory;
}

export function syslog(severity: number, line: string): void {
  if (identMemory === undefined) openlog('ctrecorder');
  libc('syslog')(LOG_DAEMON | severity, '%s', 'str', line);
}

// Time

/** Bind these now: to bind one while its thread is being ended, as at a stop, aborts the process (koffi throws into the thread). */
export function bindFunctions(...names: (keyof typeof PROTOTYPES)[]): void {
  for (const name of names) libc(name);
}

/** Sleep on this thread, synchronously, at the most a second. */
export function sleepMicroseconds(us: number): void {
  libc('usleep')(us);
}

const CLOCK_REALTIME = 0;
const timespec = new Uint32Array(4);

/** Wall clock, microseconds since the epoch, without an allocation. */
export function wallClockUs(): number {
  libc('clock_gettime')(CLOCK_REALTIME, timespec);
  // struct timespec { s64 tv_sec; s64 tv_nsec }, little-endian
  return (timespec[1] * 2 ** 32 + timespec[0]) * 1e6 + Math.floor(timespec[2] / 1000);
}
