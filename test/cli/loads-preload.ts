/**
 * Loaded into a program before everything else (--import): writes each module that it asks for, one a line,
 * to the file CTRECORDER_TEST_LOADS. The package that CTRECORDER_TEST_ABSENT names cannot be found.
 */
import { appendFileSync } from 'node:fs';
import Module, { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const loads = process.env.CTRECORDER_TEST_LOADS!;
const absent = process.env.CTRECORDER_TEST_ABSENT;

type Resolve = (specifier: string, context: unknown, next: (specifier: string) => unknown) => unknown;
type Load = (request: string, ...rest: unknown[]) => unknown;

function note(specifier: string, code: string): void {
  appendFileSync(loads, `${specifier}\n`);
  if (specifier === absent)
    throw Object.assign(new Error(`Cannot find ${specifier}, says the test`), { code });
}

/** What `import` asks for; Node calls it on a thread of its own. */
export const resolve: Resolve = (specifier, _context, next) => {
  note(specifier, 'ERR_MODULE_NOT_FOUND');
  return next(specifier);
};

if (isMainThread) {
  // What `require` asks for.
  const commonJs = Module as unknown as { _load: Load };
  const load = commonJs._load;
  commonJs._load = function (this: unknown, request, ...rest) {
    note(request, 'MODULE_NOT_FOUND');
    return load.call(this, request, ...rest);
  };
  register(import.meta.url);
}
