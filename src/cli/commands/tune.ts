/** `tune` */

import { ExitCode } from '../../base/failure.js';
import { printText, stdout } from '../../base/terminal.js';
import { debug, protocols, rcvbuf } from '../args/common-options.js';
import { command } from '../args/declaration.js';
import { runner } from '../args/runner.js';
import { parseSeconds, timeText } from '../args/units.js';

const DEFAULT_FOR_MS = 60_000;
/** Larger than a recorder's: what is to be measured must not be lost. */
const DEFAULT_RCVBUF_KIB = 65_536;

export const tune = command({
  word: 'tune',
  summary: 'watch this gateway without recording, and say which -b, -B and sysctls suit it',
  options: {
    forMs: {
      name: 'for',
      value: 'TIME',
      help: 'how long to watch, as in 60s or 5m; Ctrl-C ends it early',
      parse: parseSeconds,
      default: DEFAULT_FOR_MS,
      defaultText: timeText(DEFAULT_FOR_MS),
    },
    protocols,
    rcvbufKiB: {
      ...rcvbuf,
      help: 'socket buffer in KiB while watching; 8M works too',
      default: DEFAULT_RCVBUF_KIB,
    },
    json: {
      name: 'json',
      help: 'print one JSON object (docs/json.md) instead of text',
    },
    debug,
  },
  examples: ['ctrecorder tune --for 5m -p all'],
});

export const run = runner(tune, async ({ forMs, protocols, rcvbufKiB, json }) => {
  const [{ adviseOn }, { sampleEvents }, { tuneJson, tuneText }] = await Promise.all([
    import('../../operate/doctor/advice.js'),
    import('../../operate/doctor/sample.js'),
    import('../../operate/doctor/tune-text.js'),
  ]);
  const ended = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
  const sample = await sampleEvents({
    forMs,
    rcvbufBytes: rcvbufKiB * 1024,
    protocols,
    signal: ended.signal,
  });
  const advice = adviseOn(sample);
  printText(stdout(), json ? tuneJson(sample, advice) : tuneText(sample, advice));
  return ExitCode.done;
});
