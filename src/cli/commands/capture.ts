/** `-C`, `capture` */

import { resolve } from 'node:path';
import { RECEIVER_AHEAD } from '../../base/process/priority.js';
import { printLine, stderr, stdout } from '../../base/terminal.js';
import type { LogFormat } from '../../operate/daemon/logger.js';
import { defaultRecorderOptions as defaults } from '../../record/main/options.js';
import { EVENT_TRUESIZE_BYTES } from '../../record/netlink/event-socket.js';
import { RING_SLOT_BYTES, RING_SLOTS_MIN } from '../../record/stage/message-ring.js';
import { debug, parseFile, protocols, rcvbuf } from '../args/common-options.js';
import { command } from '../args/declaration.js';
import { runner } from '../args/runner.js';
import { days, minutes, parseDuration, parseSize, sizeText, timeText } from '../args/units.js';
import {
  choice,
  fileModeText,
  integer,
  parseFileMode,
  parseIdentity,
  parsePercent,
  text,
} from '../args/values.js';

/** 2 GiB of slots; one array holds no more than twice that. */
const MAX_RING_SLOTS = 2 ** 22;
const MAX_ROTATE_MINUTES = 366 * 24 * 60;
const MAX_KEEP_DAYS = 100 * 366;
const MAX_DESCRIPTOR = 2 ** 20;
const FIRST_FREE_DESCRIPTOR = 3;
const NICE_MIN = -20;
const NICE_MAX = 19;
const LOG_FORMATS = ['pretty', 'json', 'syslog'] as const satisfies readonly LogFormat[];

const eventsHeld = Math.floor((2 * defaults.rcvbufKiB * 1024) / EVENT_TRUESIZE_BYTES);

export const capture = command({
  letter: 'C',
  word: 'capture',
  summary: 'record connections from the kernel into log files',
  options: {
    file: {
      letter: 'f',
      name: 'file',
      value: 'TEMPLATE',
      help: 'log file; %Y, %m, %d, %H, %M, %S and the rest of strftime stand for the time it is opened',
      parse: parseFile,
      required: 'a file',
    },
    rotateMinutes: {
      letter: 't',
      name: 'rotate',
      value: 'MINUTES',
      help: 'start a new file every MINUTES; 5m, 1h and 1d work too',
      parse: minutes({ min: 0, max: MAX_ROTATE_MINUTES, examples: '60, 5m or 1h' }),
      default: defaults.rotateMinutes,
      defaultText: `${defaults.rotateMinutes}, never`,
    },
    rotateLocal: {
      name: 'rotate-local',
      help:
        'count the intervals of -t from local midnight: -t 1d starts a file with each local day, -t 60 with each local ' +
        'hour; MINUTES must divide a day',
      defaultText: 'count them in UTC',
    },
    protocols,
    rcvbufKiB: {
      ...rcvbuf,
      help:
        `socket buffer in KiB; 8M works too. Every event takes ${grouped(EVENT_TRUESIZE_BYTES)} bytes of twice ` +
        `that size, so it holds 2 x KIB x 1024 / ${EVENT_TRUESIZE_BYTES} events, ${grouped(eventsHeld)} by default`,
      default: defaults.rcvbufKiB,
    },
    ringSlots: {
      letter: 'B',
      name: 'ring',
      value: 'SLOTS',
      help:
        `ring slots of ${RING_SLOT_BYTES} bytes each; fewer than ${RING_SLOTS_MIN} ` +
        `are raised to ${RING_SLOTS_MIN}`,
      parse: integer({
        what: 'a number of slots',
        min: 1,
        max: MAX_RING_SLOTS,
        example: defaults.ringSlots,
      }),
      default: defaults.ringSlots,
    },
    reliable: {
      name: 'reliable',
      help:
        'lose no end of a connection: the kernel keeps every end that does not fit into the buffer and sends it again. ' +
        'The price: such connections stay in the conntrack table and count against nf_conntrack_max, so a recorder that ' +
        'hangs can fill the gateway’s table, and a full table refuses connections. The count of lost starts is then an ' +
        'upper bound and no longer exact',
      defaultText: 'off',
    },
    reliableMaxTablePercent: {
      name: 'reliable-max-table',
      value: 'PERCENT',
      help: 'with --reliable: turn it off while more than PERCENT of nf_conntrack_max is in use',
      parse: parsePercent,
      default: defaults.reliableMaxTablePercent,
      defaultText: `${defaults.reliableMaxTablePercent}%`,
    },
    nice: {
      letter: 'N',
      name: 'nice',
      value: 'N',
      help: `nice value of all threads, ${NICE_MIN} to ${NICE_MAX}`,
      parse: integer({ what: 'a nice value', min: NICE_MIN, max: NICE_MAX, example: -5 }),
      defaultText: `unchanged, but ${RECEIVER_AHEAD} lower for the thread that receives the events, where that is permitted`,
    },
    user: {
      letter: 'U',
      name: 'user',
      value: 'USER',
      help: 'keep only CAP_NET_ADMIN and become USER, a name or number, with its groups',
      parse: text('a user'),
      defaultText: 'rights unchanged',
    },
    group: {
      letter: 'G',
      name: 'group',
      value: 'GROUP',
      help: 'become GROUP, a name or number',
      parse: text('a group'),
      defaultText: 'the group of USER',
    },
    pidFile: {
      letter: 'P',
      name: 'pidfile',
      value: 'FILE',
      help: 'write the process ID into FILE; refused while the recorder that owns FILE is running',
      parse: parseFile,
      defaultText: 'none',
    },
    foreground: {
      letter: 'F',
      name: 'foreground',
      help: 'stay in the foreground',
      defaultText: 'go to the background',
    },
    flushIntervalMs: {
      name: 'flush-interval',
      value: 'TIME',
      help: 'longest time an event waits before it is written, as in 200ms, 2s or 5m',
      parse: parseDuration,
      default: defaults.flushIntervalMs,
      defaultText: timeText(defaults.flushIntervalMs),
    },
    noSnapshot: {
      name: 'no-snapshot',
      help:
        'neither begin each file with the connections that are open at that moment, nor compare the log with the ' +
        'kernel’s table',
      defaultText: 'do both; a table of a million entries takes about 200 MB of memory',
    },
    stopTimeoutMs: {
      name: 'stop-timeout',
      value: 'TIME',
      help: 'longest time a stop may take to save what was received',
      parse: parseDuration,
      default: defaults.stopTimeoutMs,
      defaultText: timeText(defaults.stopTimeoutMs),
    },
    fileMode: {
      name: 'mode',
      value: 'MODE',
      help:
        'octal mode of new log files, as in 0600; new directories also get x wherever this has r. ' +
        'It applies exactly as given: the umask takes nothing away from it or from the default',
      parse: parseFileMode,
      default: defaults.fileMode,
      defaultText: fileModeText(defaults.fileMode),
    },
    minFreeBytes: {
      name: 'min-free',
      value: 'SIZE',
      help:
        'write nothing that would leave less than SIZE free on the disk, but wait as on a full disk: what is already ' +
        'written is safe, and the kernel drops and counts what does not fit into memory',
      parse: parseSize,
      default: defaults.minFreeBytes,
      defaultText: `${sizeText(defaults.minFreeBytes)}, until the disk is full`,
    },
    keepDays: {
      name: 'keep-days',
      value: 'DAYS',
      help:
        'remove finished files whose last event is more than DAYS days old, at the start and at each rotation: ' +
        'only files of this -f and -p, each with a line in the log',
      parse: days({ min: 1, max: MAX_KEEP_DAYS, examples: '180 or 180d' }),
      defaultText: 'keep all',
    },
    keepBytes: {
      name: 'keep-bytes',
      value: 'SIZE',
      help:
        'remove the oldest of these files while all of them, with the live file and those on hold, exceed SIZE. ' +
        'With --keep-days or --keep-bytes, the oldest are also removed when the disk is full or --min-free is reached',
      parse: parseSize,
      defaultText: 'keep all',
    },
    trustClock: {
      name: 'trust-clock',
      help: 'with --keep-days: go by the wall clock even where it stepped, or where it contradicts the log at the start',
      defaultText: 'then nothing is removed by age for 24 hours, or for one hour with the clock synchronised',
    },
    holds: {
      name: 'hold',
      value: 'FILE',
      several: true,
      help:
        'never remove FILE: a path, or a bare name, which holds every file of that name; may be given several times. ' +
        'A file FILE.hold next to it does the same, also while the recorder is running',
      parse: parseFile,
      defaultText: 'none',
    },
    identity: {
      name: 'identity',
      value: 'NAME',
      help:
        'continue the files of this identity, whatever host they name: for containers, moved archives and pairs of ' +
        'gateways. 1 to 64 letters, digits, dots, underscores and dashes; -H shows the identity of a file',
      parse: parseIdentity,
      defaultText: 'as the files here say, if they are of this host and machine; else a new one',
    },
    progressFd: {
      name: 'progress-fd',
      value: 'N',
      help:
        'write a JSON line to file descriptor N whenever events have become durable; while nobody reads, newer lines ' +
        'replace older ones',
      parse: integer({
        what: 'a file descriptor',
        min: FIRST_FREE_DESCRIPTOR,
        max: MAX_DESCRIPTOR,
        example: FIRST_FREE_DESCRIPTOR,
      }),
      defaultText: 'none',
    },
    replayFile: {
      name: 'replay',
      value: 'FILE',
      help: 'record from a pcap or pcapng of an nlmon interface instead of from the kernel, in the foreground',
      parse: parseFile,
    },
    keepDuplicates: {
      name: 'keep-duplicates',
      help: 'with --replay: keep identical messages that follow each other',
      defaultText: 'the copies that nlmon makes for each listener count once',
    },
    saveMessagesFile: {
      name: 'save-messages',
      value: 'FILE',
      help: 'also save the received messages as a pcap, for a bug report',
      parse: parseFile,
      defaultText: 'off',
    },
    saveLimitBytes: {
      name: 'save-limit',
      value: 'SIZE',
      help: 'maximum size of that pcap',
      parse: parseSize,
      default: defaults.saveLimitBytes,
      defaultText: sizeText(defaults.saveLimitBytes),
    },
    logFormat: {
      name: 'log-format',
      value: 'FORMAT',
      help: `one of ${LOG_FORMATS.join(', ')}`,
      parse: choice(LOG_FORMATS),
      defaultText:
        'pretty on a terminal, else json; syslog in the background unless standard error is a file',
    },
    debug,
  },
  examples: [
    'ctrecorder -Cf /var/log/nat/%Y%m%d-%H%M.ct -t 60 -p all -U ctrecorder -P /run/ctrecorder.pid',
    'ctrecorder capture -F --file nat.ct --protocols tcp,udp',
  ],
});

/** `13,107`; toLocaleString would load the languages of the world for it. */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

export const run = runner(capture, async (values) => {
  const { file, pidFile, foreground, debug, logFormat, noSnapshot } = values;
  const { nice, user, group, progressFd, replayFile, saveMessagesFile } = values;
  const { keepDays, keepBytes, holds, trustClock, identity } = values;
  const { start } = await import('../../operate/daemon/start.js');
  // Without a limit nothing is removed; holds then bind the commands that would replace a file.
  const retention = (keepDays !== undefined || keepBytes !== undefined || holds.length > 0) && {
    holds: holds.map((hold) => (hold.includes('/') ? resolve(hold) : hold)),
    trustClock: trustClock === true,
    ...(keepDays !== undefined && { keepDays }),
    ...(keepBytes !== undefined && { keepBytes }),
  };
  return start({
    recorder: {
      fileTemplate: file,
      rotateMinutes: values.rotateMinutes,
      rotateLocal: values.rotateLocal,
      protocols: values.protocols,
      rcvbufKiB: values.rcvbufKiB,
      ringSlots: values.ringSlots,
      reliable: values.reliable,
      reliableMaxTablePercent: values.reliableMaxTablePercent,
      flushIntervalMs: values.flushIntervalMs,
      snapshot: !noSnapshot,
      stopTimeoutMs: values.stopTimeoutMs,
      fileMode: values.fileMode,
      minFreeBytes: values.minFreeBytes,
      keepDuplicates: values.keepDuplicates,
      saveLimitBytes: values.saveLimitBytes,
      ...(nice !== undefined && { nice }),
      ...(retention && { retention }),
      ...(identity !== undefined && { identity }),
      ...(progressFd !== undefined && { progressFd }),
      ...(user !== undefined && { user }),
      ...(group !== undefined && { group }),
      ...(replayFile !== undefined && { replayFile }),
      ...(saveMessagesFile !== undefined && { saveMessagesFile }),
    },
    foreground,
    debug,
    say: (line) => printLine(stdout(), `ctrecorder: ${line}`),
    warn: (line) => printLine(stderr(), `ctrecorder: ${line}`),
    ...(pidFile !== undefined && { pidFile }),
    ...(logFormat !== undefined && { logFormat }),
  });
});
