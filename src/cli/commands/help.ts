/** `-h`, `help`. run.ts answers it from the declarations of all commands. */
import { command } from '../args/declaration.js';

export const help = command({
  letter: 'h',
  word: 'help',
  summary: 'print this help, or with a mode behind it the help of that mode (-h -L, help list)',
  options: {},
  examples: [],
});
