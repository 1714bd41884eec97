import { errnoName, errnoText } from '../errno.js';
import { SystemFailure } from '../errors.js';
import { type LoadedLibc, loadLibc } from './load.js';

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
  adjtimex: 'int adjtimex(void *timex)',
  gettid: 'int gettid()',
  poll: 'int poll(void *descriptors, ulong count, int timeoutMs)',
  fcntl: 'int fcntl(int fd, int command, int argument)',
  _exit: 'void _exit(int status)',
  execv: 'int execv(const char *path, const char **argv)',
} as const;

type FunctionName = keyof typeof PROTOTYPES;

let loaded: LoadedLibc | undefined;
const functions = new Map<FunctionName, LibcFunction>();

export function load(): LoadedLibc['koffi'] {
  loaded ??= loadLibc();
  return loaded.koffi;
}

/** The function bound at its first use; ENOSYS when this C library does not have it. */
export function libc(name: FunctionName): LibcFunction {
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

export function failure(operation: string, path?: string): SystemFailure {
  const errno = load().errno();
  const where = path === undefined ? '' : ` ${path}`;
  return new SystemFailure(
    operation,
    errnoName(errno),
    `${operation}${where}: ${errnoText(errno)}`,
    path === undefined ? {} : { path },
  );
}

export function check(result: number, operation: string): number {
  if (result < 0) throw failure(operation);
  return result;
}

/**
 * Bind these now: to bind one while its thread is being ended, as at a stop, aborts the process (koffi throws
 * into the thread).
 */
export function bindFunctions(...names: (keyof typeof PROTOTYPES)[]): void {
  for (const name of names) libc(name);
}
