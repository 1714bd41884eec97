import { check, failure, libc } from './call.js';
import { _LINUX_CAPABILITY_VERSION_3 } from './constants.js';

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
