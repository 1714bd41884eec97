/** `-C`, `capture` */
import { Command, Option } from 'clipanion';
import { UsageError } from '../../base/errors.js';
import { printLine, stderr, stdout } from '../../base/terminal.js';
import type { StartOptions } from '../../operate/daemon/start.js';
import { defaultRecorderOptions as defaults, type RecorderOptions } from '../../record/main/options.js';
import type { RetentionOptions } from '../../record/writer/writer-task.js';
import { runnerOf } from '../args/runner.js';
import {
  MAX_RCVBUF_KIB,
  needFile,
  parseChoice,
  parseDuration,
  parseFileMode,
  parseInteger,
  parsePercent,
  parseProtocols,
  parseSize,
} from '../args/values.js';

/** 2 GiB of slots; one array holds no more than twice that. */
const MAX_RING_SLOTS = 2 ** 22;
const MAX_ROTATE_MINUTES = 366 * 24 * 60;
const MAX_KEEP_DAYS = 100 * 366;
const MAX_DESCRIPTOR = 2 ** 20;
const FIRST_FREE_DESCRIPTOR = 3;

export class CaptureCommand extends Command {
  static override paths = [['capture']];

  readonly file = Option.String('--file');
  readonly rotate = Option.String('--rotate');
  readonly rotateLocal = Option.Boolean('--rotate-local', false);
  readonly protocols = Option.String('--protocols');
  readonly rcvbuf = Option.String('--rcvbuf');
  readonly ring = Option.String('--ring');
  readonly reliable = Option.Boolean('--reliable', false);
  readonly reliableMaxTable = Option.String('--reliable-max-table');
  readonly nice = Option.String('--nice');
  readonly user = Option.String('--user');
  readonly group = Option.String('--group');
  readonly pidfile = Option.String('--pidfile');
  readonly foreground = Option.Boolean('--foreground', false);
  readonly flushInterval = Option.String('--flush-interval');
  readonly noSnapshot = Option.Boolean('--no-snapshot', false);
  readonly stopTimeout = Option.String('--stop-timeout');
  readonly mode = Option.String('--mode');
  readonly minFree = Option.String('--min-free');
  readonly keepDays = Option.String('--keep-days');
  readonly keepBytes = Option.String('--keep-bytes');
  readonly hold = Option.Array('--hold');
  readonly progressFd = Option.String('--progress-fd');
  readonly replay = Option.String('--replay');
  readonly keepDuplicates = Option.Boolean('--keep-duplicates', false);
  readonly saveMessages = Option.String('--save-messages');
  readonly saveLimit = Option.String('--save-limit');
  readonly logFormat = Option.String('--log-format');
  readonly debug = Option.Boolean('--debug', false);

  async execute(): Promise<number> {
    const options = this.#options();
    const { start } = await import('../../operate/daemon/start.js');
    return start(options);
  }

  #options(): StartOptions {
    const logFormat = given(this.logFormat, (text) =>
      parseChoice('--log-format', text, ['pretty', 'json', 'syslog'] as const),
    );
    return {
      recorder: this.#recorder(),
      foreground: this.foreground,
      debug: this.debug,
      say: (line) => printLine(stdout(), `ctrecorder: ${line}`),
      warn: (line) => printLine(stderr(), `ctrecorder: ${line}`),
      ...(this.pidfile !== undefined && { pidFile: notEmpty('-P', this.pidfile) }),
      ...(logFormat !== undefined && { logFormat }),
    };
  }

  #recorder(): RecorderOptions {
    const nice = given(this.nice, (text) => parseInteger('-N', text, -20, 19));
    const progressFd = given(this.progressFd, (text) =>
      parseInteger('--progress-fd', text, FIRST_FREE_DESCRIPTOR, MAX_DESCRIPTOR),
    );
    const retention = this.#retention();
    return {
      fileTemplate: needFile('-C', this.file),
      rotateMinutes:
        given(this.rotate, (text) => parseInteger('-t', text, 0, MAX_ROTATE_MINUTES)) ??
        defaults.rotateMinutes,
      rotateLocal: this.rotateLocal,
      protocols: given(this.protocols, (text) => parseProtocols('-p', text)) ?? defaults.protocols,
      rcvbufKiB:
        given(this.rcvbuf, (text) => parseInteger('-b', text, 1, MAX_RCVBUF_KIB)) ?? defaults.rcvbufKiB,
      ringSlots:
        given(this.ring, (text) => parseInteger('-B', text, 1, MAX_RING_SLOTS)) ?? defaults.ringSlots,
      reliable: this.reliable,
      reliableMaxTablePercent:
        given(this.reliableMaxTable, (text) => parsePercent('--reliable-max-table', text)) ??
        defaults.reliableMaxTablePercent,
      flushIntervalMs:
        given(this.flushInterval, (text) => parseDuration('--flush-interval', text)) ??
        defaults.flushIntervalMs,
      stopTimeoutMs:
        given(this.stopTimeout, (text) => parseDuration('--stop-timeout', text)) ?? defaults.stopTimeoutMs,
      snapshot: !this.noSnapshot,
      fileMode: given(this.mode, (text) => parseFileMode('--mode', text)) ?? defaults.fileMode,
      minFreeBytes: given(this.minFree, (text) => parseSize('--min-free', text)) ?? defaults.minFreeBytes,
      keepDuplicates: this.keepDuplicates,
      saveLimitBytes:
        given(this.saveLimit, (text) => parseSize('--save-limit', text)) ?? defaults.saveLimitBytes,
      ...(nice !== undefined && { nice }),
      ...(retention !== undefined && { retention }),
      ...(progressFd !== undefined && { progressFd }),
      ...(this.user !== undefined && { user: notEmpty('-U', this.user) }),
      ...(this.group !== undefined && { group: notEmpty('-G', this.group) }),
      ...(this.replay !== undefined && { replayFile: notEmpty('--replay', this.replay) }),
      ...(this.saveMessages !== undefined && {
        saveMessagesFile: notEmpty('--save-messages', this.saveMessages),
      }),
    };
  }

  /** Undefined: nothing is removed, and holds hold nothing. */
  #retention(): RetentionOptions | undefined {
    const keepDays = given(this.keepDays, (text) => parseInteger('--keep-days', text, 1, MAX_KEEP_DAYS));
    const keepBytes = given(this.keepBytes, (text) => parseSize('--keep-bytes', text));
    const holds = (this.hold ?? []).map((text) => notEmpty('--hold', text));
    if (keepDays === undefined && keepBytes === undefined) return undefined;
    return {
      holds,
      ...(keepDays !== undefined && { keepDays }),
      ...(keepBytes !== undefined && { keepBytes }),
    };
  }
}

function given<T>(text: string | undefined, parse: (text: string) => T): T | undefined {
  return text === undefined ? undefined : parse(text);
}

function notEmpty(option: string, text: string): string {
  if (text !== '') return text;
  throw new UsageError(`${option}: the value is empty; give one or leave the option out`);
}

export const run = runnerOf(CaptureCommand);
