/**
 * The recorder: wires a source of messages, the two rings and the two workers, and stops them in order.
 *
 *   source (this thread) ──ring──▶ parser worker ──block ring──▶ writer worker ──▶ file
 */

import type { Logger } from 'pino';
import type { RecorderOptions } from './options.js';
import { Pipeline } from './pipeline.js';
import type { Recorder } from './recording.js';

export function startRecorder(options: RecorderOptions, log: Logger): Recorder {
  const pipeline = new Pipeline(options, log);
  const ready = pipeline.open();
  const done = ready.then(() => pipeline.run());
  done.catch(() => {}); // when the start fails, `ready` tells
  return {
    ready,
    done,
    rotate: () => pipeline.rotate(),
    flush: () => pipeline.flush(),
    stop: () => pipeline.stop(),
  };
}
