/**
 * Numbers of the kernel's interface, under the kernel's names. The sources are named per group; all values
 * are those of the little-endian 64-bit architectures in `captureSupport` (asm-generic; x86-64 has the same).
 */

// include/linux/socket.h, include/uapi/asm-generic/socket.h
export const AF_NETLINK = 16;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const SO_ATTACH_FILTER = 26;
export const SO_RCVBUFFORCE = 33;
export const SO_MEMINFO = 55;

// include/uapi/linux/sock_diag.h: indexes of the nine u32 of SO_MEMINFO
export const SK_MEMINFO_VARS = 9;
export const SK_MEMINFO_RMEM_ALLOC = 0;
export const SK_MEMINFO_RCVBUF = 1;
export const SK_MEMINFO_DROPS = 8;

// include/uapi/linux/prctl.h
export const PR_SET_KEEPCAPS = 8;
export const PR_CAPBSET_DROP = 24;
export const PR_SET_NO_NEW_PRIVS = 38;

// include/uapi/linux/capability.h
export const _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
export const CAP_SETGID = 6;
export const CAP_SETUID = 7;
export const CAP_NET_ADMIN = 12;
