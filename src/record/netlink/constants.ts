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
export const NLM_F_MULTI = 2;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

// include/uapi/linux/netfilter/nfnetlink.h: enum nfnetlink_groups, subsystem ids
export const NFNLGRP_CONNTRACK_NEW = 1;
export const NFNLGRP_CONNTRACK_DESTROY = 3;
export const NFNL_SUBSYS_CTNETLINK = 1;

// include/uapi/linux/netfilter/nfnetlink_conntrack.h: enum cntl_msg_types
export const IPCTNL_MSG_CT_NEW = 0;
export const IPCTNL_MSG_CT_GET = 1;
export const IPCTNL_MSG_CT_DELETE = 2;
export const IPCTNL_MSG_CT_GET_STATS = 5;

// include/uapi/linux/netfilter/nf_conntrack_common.h: enum ip_conntrack_status
export const IPS_SEEN_REPLY = 0x2;

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
