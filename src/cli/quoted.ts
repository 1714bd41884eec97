import { printable } from '../printable.js';

/** Text of a user inside a message: printable, and visible when it is empty. */
export function quoted(text: string): string {
  const clean = printable(text);
  return clean === '' || /\s/.test(clean) ? `"${clean}"` : clean;
}
