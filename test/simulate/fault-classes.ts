/** What can go wrong, drawn evenly; a world has at least three of them. */
export const FAULTS = [
  'clock-step',
  'clock-step-days',
  'clock-slow',
  'clock-frozen',
  'start-with-wrong-clock',
  'kill',
  'kill-at-call',
  'power-loss',
  'disk-error',
  'disk-read-only',
  'short-writes',
  'disk-full',
  'no-inodes',
  'directory-moved',
  'foreign-files',
  'squeezed-files',
  'hold-by-link',
  'other-host',
  'goal-out-of-reach',
] as const;
export type Fault = (typeof FAULTS)[number];
