/** Clocks, injected where a test must set them. */

export interface Clock {
  /** Wall clock, microseconds since the epoch. It may step. */
  wallUs(): number;
  /** Never goes back, counts from anywhere. */
  monotonicMs(): number;
  /** The kernel's word that somebody keeps its wall clock right. */
  isSynchronised(): boolean;
}
