/**
 * Slots are this large: the longest conntrack event seen is 372 bytes (IPv6, counters, timestamps, helper,
 * labels).
 */
export const RING_SLOT_BYTES = 512;
/** A smaller `-B` is raised to this: a ring of a few slots would wake the parser for a few messages. */
export const RING_SLOTS_MIN = 256;
