import { UsageError } from '../../errors.js';

/** The value of `-f`, which must be there. `mode` is how the mode is called, as in "-L" or "stats". */
export function needFile(mode: string, file: string | undefined): string {
  if (file !== undefined && file !== '') return file;
  throw new UsageError(`${mode} needs a file: add -f ${mode === '-C' ? 'TEMPLATE' : 'FILE'}`);
}
