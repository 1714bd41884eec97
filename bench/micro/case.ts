/** One micro-benchmark: the same small piece of the recorder's work again and again, in this thread alone. */
export interface MicroCase {
  readonly name: string;
  /** What the time is told per. */
  readonly unit: 'event' | 'message' | 'row' | 'KiB';
  /** Units that one call of `run` does. */
  readonly unitsPerRun: number;
  run(): void;
}
