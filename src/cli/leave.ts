/** How the program ends: at once, and certainly. */
import { createRequire } from 'node:module';
import { allPrinted } from '../base/terminal.js';

const require = createRequire(import.meta.url);

/**
 * End the process with `process.exitCode`, as soon as everything written to the standard streams is through.
 * `worked`: it did more than print a text.
 */
export async function leave(worked: boolean): Promise<never> {
  await allPrinted();
  leaveNow(worked);
}

/**
 * End the process with `process.exitCode`.
 *
 * Node 20 joins V8's compiler thread at its end, by `process.exit` as well as at the end of the event loop.
 * That thread may be waiting for a garbage collection, which the main thread, waiting for it, never makes
 * (nodejs/node#54918): one `-L` in a thousand hung for ever. A collection made here, 4 ms, lets it go on, and
 * leaves so much of the heap's limit that it asks for no other. A program that only printed a text has
 * nothing to compile.
 */
export function leaveNow(worked: boolean): never {
  if (worked) {
    // Loaded here, since a text is printed without them: 1 ms.
    const { setFlagsFromString } = require('node:v8') as typeof import('node:v8');
    const { runInNewContext } = require('node:vm') as typeof import('node:vm');
    setFlagsFromString('--expose-gc');
    runInNewContext('gc()');
  }
  process.exit();
}
