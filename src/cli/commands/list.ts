/** `-L`, `list` */
import { stderr, stdout } from '../../base/terminal.js';
import { debug, logFile } from '../args/common-options.js';
import { command } from '../args/declaration.js';
import { runner } from '../args/runner.js';
import { parseNetworks, parsePorts } from '../args/values.js';

export const list = command({
  letter: 'L',
  word: 'list',
  summary: 'list the events or connections of a log file',
  options: {
    file: logFile,
    networks: {
      letter: 'i',
      name: 'address',
      value: 'ADDRESS',
      several: true,
      help: 'only where one of the four addresses is in ADDRESS or ADDRESS/BITS; a comma list or several -i match any of them',
      parse: parseNetworks,
    },
    ports: {
      letter: 'p',
      name: 'port',
      value: 'PORT',
      several: true,
      help: 'only where one of the four ports is PORT: a number, a range like 1000-2000 or a service like https; a comma list or several -p match any of them',
      parse: parsePorts,
    },
    squeeze: {
      letter: 's',
      name: 'squeeze',
      help: 'join starts and ends, and list one line per connection',
    },
    noHeader: {
      letter: 'H',
      name: 'no-header',
      help: 'print no header lines on standard error',
    },
    json: {
      name: 'json',
      help: 'newline-delimited JSON (docs/json.md) instead of lines',
    },
    showSnapshots: {
      name: 'show-snapshots',
      help: 'also list what is known from the kernel’s table and not from an event: O was already open, the times of S? and E? were not seen',
    },
    showGaps: {
      name: 'show-gaps',
      help: 'print a line wherever events were lost',
    },
    debug,
  },
  examples: ['ctrecorder -Lf nat.ct -i 10.0.0.0/8', 'xz -dc nat.ct.xz | ctrecorder -Lsf - -p 443'],
});

export const run = runner(list, async ({ json, ...values }) => {
  const { list } = await import('../../find/query/list.js');
  const options = {
    ...values,
    networks: values.networks.flat(),
    ports: values.ports.flat(),
    format: json ? ('json' as const) : ('lines' as const),
  };
  const { exitCode } = await list(options, { stdout: stdout(), stderr: stderr() });
  return exitCode;
});
