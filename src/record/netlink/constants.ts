/**
 * Numbers of the kernel's interface, under the kernel's names. The sources are named per group; all values are those of the
 * little-endian 64-bit architectures in `captureSupport` (asm-generic; x86-64 has the same).
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

// include/uapi/linux/netlink.h
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NETFILTER = 12;
export const SOL_NETLINK = 270;
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_DROP_MEMBERSHIP = 2;
export const NETLINK_BROADCAST_ERROR = 4;
export const NETLINK_NO_ENOBUFS = 5;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLM_F_REQUEST = 1;
export const NLM_F_DUMP = 0x300;

// include/uapi/linux/netfilter/nfnetlink.h: enum nfnetlink_groups, subsystem ids
export const NFNLGRP_CONNTRACK_NEW = 1;
export const NFNLGRP_CONNTRACK_DESTROY = 3;
export const NFNL_SUBSYS_CTNETLINK = 1;

// include/uapi/linux/netfilter/nfnetlink_conntrack.h: enum cntl_msg_types
export const IPCTNL_MSG_CT_GET = 1;
export const IPCTNL_MSG_CT_GET_STATS = 5;

// include/uapi/linux/netfilter/nfnetlink_conntrack.h: enum ctattr_type, ctattr_tuple, ctattr_l4proto
export const CTA_TUPLE_ORIG = 1;
export const CTA_TUPLE_PROTO = 2;
export const CTA_PROTO_NUM = 1;

// include/uapi/linux/sock_diag.h, include/uapi/linux/netlink_diag.h
export const SOCK_DIAG_BY_FAMILY = 20;
export const NDIAG_SHOW_GROUPS = 2;
export const NDIAG_SHOW_FLAGS = 8;
export const NETLINK_DIAG_GROUPS = 1;
export const NETLINK_DIAG_FLAGS = 4;
export const NDIAG_FLAG_BROADCAST_ERROR = 4;

// include/uapi/linux/prctl.h
export const PR_SET_KEEPCAPS = 8;
export const PR_CAPBSET_READ = 23;
export const PR_CAPBSET_DROP = 24;
export const PR_SET_NO_NEW_PRIVS = 38;

// include/uapi/linux/capability.h
export const _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
export const CAP_SETGID = 6;
export const CAP_SETUID = 7;
export const CAP_NET_ADMIN = 12;
