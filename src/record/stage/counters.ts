const STATS_WORDS = 32;

export function createStats(): Float64Array {
  return new Float64Array(new SharedArrayBuffer(STATS_WORDS * 8));
}
