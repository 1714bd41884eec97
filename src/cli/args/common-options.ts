/** Options that several commands have. */
import { protocolName } from '../../event/protocols.js';
import { defaultRecorderOptions as defaults } from '../../record/main/options.js';
import type { OptionSpec } from './declaration.js';
import { kibibytes } from './units.js';
import { parseProtocols, text } from './values.js';

/** SO_RCVBUF is an int in bytes, half of which the kernel gives away by doubling. */
const MAX_RCVBUF_KIB = 2 ** 20 - 1;

export const parseFile = text('a file');

export const debug = {
  name: 'debug',
  help: 'log more, and print a stack trace with an error',
} as const satisfies OptionSpec;

export const logFile = {
  letter: 'f',
  name: 'file',
  value: 'FILE',
  help: 'log file; - is standard input, and gzip is unpacked',
  parse: parseFile,
  required: 'a file',
} as const satisfies OptionSpec;

/** For commands that take several: bare words are log files too. */
export const logFiles = { ...logFile, several: true, positional: true } as const satisfies OptionSpec;

export const protocols = {
  letter: 'p',
  name: 'protocols',
  value: 'LIST',
  help: 'protocols by name or number, as in tcp,udp,47, or all',
  parse: parseProtocols,
  default: defaults.protocols,
  defaultText: defaults.protocols.map(protocolName).join(','),
} as const satisfies OptionSpec;

/** Help and default are the command's own. */
export const rcvbuf = {
  letter: 'b',
  name: 'rcvbuf',
  value: 'KIB',
  parse: kibibytes({ min: 1, max: MAX_RCVBUF_KIB, examples: '8192 or 8M' }),
} as const satisfies Omit<OptionSpec, 'help'>;
