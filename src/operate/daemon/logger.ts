/**
 * The recorder's log: pino with a synchronous destination of our own, because pino's worker transports
 * survive neither a bundler nor the switch of the user. A line that cannot be written is given up: the log
 * must never end the recorder.
 */
import { createRequire } from 'node:module';
import { type DestinationStream, type Logger, pino } from 'pino';
import { SyslogSeverity, syslog } from '../../base/libc/syslog.js';
import { printable, printableJson, printableStack } from '../../base/printable.js';
import { stderrIsTerminal, writeLogLine } from '../../base/terminal.js';

export type LogFormat = 'pretty' | 'json' | 'syslog';

export interface LogSettings {
  /** Undefined: pretty on a terminal, else JSON. */
  readonly format?: LogFormat;
  readonly debug: boolean;
  /** Also gets every warning and error, while somebody at a terminal waits for the start. */
  readonly alsoTo?: (message: string) => unknown;
}

export function createLogger({ format, debug, alsoTo }: LogSettings): Logger {
  const write = writer(format ?? (stderrIsTerminal() ? 'pretty' : 'json'));
  const stream: DestinationStream =
    alsoTo === undefined
      ? { write }
      : {
          write(line) {
            write(line);
            const { level, msg } = JSON.parse(line) as LogLine;
            if (level >= pino.levels.values.warn) alsoTo(msg);
          },
        };
  return pino({ level: debug ? 'debug' : 'info' }, stream);
}

/** What pino gives to a destination, as far as it is used here. */
interface LogLine {
  readonly level: number;
  readonly msg: string;
}

function writer(format: LogFormat): (line: string) => void {
  if (format === 'syslog') return (line) => toSyslog(line);
  if (format === 'json') return (line) => writeLogLine(printableJson(line));
  // Loaded here only: it takes 20 ms, and a service does not need it.
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
  const pretty = prettyFactory({
    colorize: stderrIsTerminal(),
    translateTime: 'SYS:standard',
    ignore: 'pid,hostname',
    singleLine: true,
  });
  // Before it is pretty: the colors are made of what is taken out here.
  return (line) => writeLogLine(pretty(JSON.parse(line, printableValue)));
}

/** For JSON.parse. A stack has lines; no other text of a log line does. */
function printableValue(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return key === 'stack' ? printableStack(value) : printable(value);
}

/** One line of pino to syslog(3); `send` is for tests. */
export function toSyslog(line: string, send: (severity: number, line: string) => void = syslog): void {
  const { level, msg } = JSON.parse(line) as LogLine;
  const { error, warn, info } = pino.levels.values;
  const severity =
    level >= error
      ? SyslogSeverity.error
      : level >= warn
        ? SyslogSeverity.warning
        : level >= info
          ? SyslogSeverity.info
          : SyslogSeverity.debug;
  send(severity, msg);
}
