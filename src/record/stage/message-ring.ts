/**
 * Slots are this large: the longest conntrack event seen is 372 bytes (IPv6, counters, timestamps, helper,
 * labels).
 */
export const RING_SLOT_BYTES = 512;
/** Messages taken by one recvmmsg call, at the most; `-B` is raised to this. */
export const RECEIVE_BATCH_MESSAGES = 256;
