/** The options of a world's recorder: drawn in a fixed order, so that a seed stays the same world. */
import type { RetentionOptions } from '../../src/record/writer/writer-task.js';
import type { Random } from './random.js';
import type { SimOptions } from './sim-recorder.js';

const TEMPLATES = [
  '/log/%Y%m%d-%H%M%S.ct',
  '/log/%Y%m%d-%H%M.ct',
  '/log/%Y%m%d/nat.ct',
  '/log/%Y/%m/%d/ct-%H%M',
  '/log/%H%M%S.ct',
  '/log/gw.v2/%d.%H.ct',
  '/log/nat.ct',
] as const;

export function drawOptions(random: Random): SimOptions {
  const rotateMinutes = random.pick([1, 15, 60, 1440, 1440]);
  return {
    name: 'A',
    template: random.pick(TEMPLATES),
    rotateMinutes,
    host: { hostname: 'gw-a', bootId: '' },
    minFreeBytes: random.chance(0.2) ? 20_000 : 0,
    retention: drawRetention(random),
  };
}

function drawRetention(random: Random): RetentionOptions | undefined {
  if (random.chance(0.4)) return undefined;
  return {
    holds: random.chance(0.3) ? ['/held/nat.ct'] : [],
    ...(random.chance(0.7) && { keepDays: random.pick([1, 3, 30]) }),
    ...(random.chance(0.4) && { keepBytes: random.pick([15_000, 40_000]) }),
  };
}
