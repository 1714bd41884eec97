/** All commands, in the order of the help. Each has its `commands/WORD.ts`, which also exports its `run`. */
import type { CommandSpec } from './args/declaration.js';
import { capture } from './commands/capture.js';
import { header } from './commands/header.js';
import { help } from './commands/help.js';
import { list } from './commands/list.js';
import { repair } from './commands/repair.js';
import { squeeze } from './commands/squeeze.js';
import { stats } from './commands/stats.js';
import { test } from './commands/test.js';
import { tune } from './commands/tune.js';
import { version } from './commands/version.js';

export const commands: readonly CommandSpec[] = [
  capture,
  list,
  test,
  squeeze,
  header,
  stats,
  repair,
  tune,
  help,
  version,
];
