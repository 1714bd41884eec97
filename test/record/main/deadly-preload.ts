/**
 * Loaded into a recorder before everything else (NODE_OPTIONS=--import), also into its threads: lets one of
 * them die once the file CTRECORDER_TEST_DEATH_AT exists. CTRECORDER_TEST_DEATH says how and which: "throw
 * parser", "exhaust writer", "terminate parser".
 */
import { existsSync } from 'node:fs';
import { isMainThread, type Worker } from 'node:worker_threads';

const [how, stage] = process.env.CTRECORDER_TEST_DEATH!.split(' ');
const trigger = process.env.CTRECORDER_TEST_DEATH_AT!;
const POLL_MS = 10;
/** In the order in which the recorder starts its threads. */
const STAGES = ['writer', 'parser'];

if (isMainThread && how === 'terminate') {
  const workers: Worker[] = [];
  process.on('worker', (worker) => workers.push(worker));
  const timer = setInterval(() => {
    if (!existsSync(trigger)) return;
    clearInterval(timer);
    void workers[STAGES.indexOf(stage)].terminate();
  }, POLL_MS).unref();
}

// A stage waits now and then: that is where it dies, between two pieces of work as anywhere.
if (!isMainThread && how !== 'terminate') {
  const { wait } = Atomics;
  Atomics.wait = ((...args: Parameters<typeof wait>) => {
    if (existsSync(trigger) && new Error().stack?.includes(`/workers/${stage}.js`)) die();
    return wait(...args);
  }) as typeof wait;
}

function die(): never {
  if (how === 'throw') throw new Error('the test wants it');
  for (const hoard: number[][] = []; ; ) hoard.push(new Array(100_000).fill(hoard.length));
}
