import { UsageError } from '../../errors.js';

/** The value of `-f`, which must be there. `mode` is the mode's letter as in "-L". */
export function needFile(mode: string, file: string | undefined): string {
  if (file !== undefined && file !== '') return file;
  throw new UsageError(`${mode} needs a file: add -f ${mode === '-C' ? 'TEMPLATE' : 'FILE'}`);
}
