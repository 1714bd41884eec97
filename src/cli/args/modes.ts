/**
 * Every mode and option of the command line, declared once: the getopt step, the help and a test that
 * compares them with the commands' typed fields read it. Loads nothing heavy: `-h` answers from here.
 */

export interface OptionSpec {
  /** The ancestor's letter, where there is one. */
  readonly letter?: string;
  /** Long name without the dashes. */
  readonly name: string;
  /** What the value is called in the help; without it the option is a switch. */
  readonly value?: string;
  readonly help: string;
}

export interface ModeSpec {
  /** Letter of the ancestor's mode, as in `-C`; what the ancestor did not have is a word. */
  readonly letter?: string;
  readonly word: string;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  /** Further words name files, or one file. */
  readonly takes?: 'files' | 'file';
  readonly examples: readonly string[];
}

const debug: OptionSpec = { name: 'debug', help: 'more log lines, and a stack trace with an error' };
const logFile: OptionSpec = {
  letter: 'f',
  name: 'file',
  value: 'FILE',
  help: 'log file; - is standard input, gzip is unpacked',
};

function output(help: string): OptionSpec {
  return { letter: 'o', name: 'output', value: 'FILE', help };
}

export const modes: readonly ModeSpec[] = [
  {
    letter: 'C',
    word: 'capture',
    summary: 'record connections from the kernel into log files',
    options: [
      {
        letter: 'f',
        name: 'file',
        value: 'TEMPLATE',
        help: 'log file; %Y, %m, %d, %H, %M, %S and the rest of strftime are its opening time (required)',
      },
      {
        letter: 't',
        name: 'rotate',
        value: 'MINUTES',
        help: 'start a new file every MINUTES (default 0: never)',
      },
      {
        name: 'rotate-local',
        help:
          'count the intervals of -t from local midnight, so that -t 1440 starts a file with each local day and -t 60 ' +
          'with each local hour; MINUTES must divide a day (default: count in UTC)',
      },
      {
        letter: 'p',
        name: 'protocols',
        value: 'LIST',
        help: 'protocols by name or number, as in tcp,udp,47, or all (default tcp)',
      },
      {
        letter: 'b',
        name: 'rcvbuf',
        value: 'KIB',
        help:
          'socket buffer (default 8192). Every event costs 1,280 bytes of the doubled value: it holds ' +
          '2 x KIB x 1024 / 1280 events, 13,107 by default',
      },
      {
        letter: 'B',
        name: 'ring',
        value: 'SLOTS',
        help: 'ring slots of 512 bytes (default 16384); fewer than 256 are raised to 256',
      },
      {
        name: 'reliable',
        help:
          'lose no end: the kernel keeps each that does not fit into the buffer and sends it again. The price: those stay in the ' +
          'conntrack table and count against nf_conntrack_max, so a recorder that hangs can fill the table of the gateway, ' +
          'which then refuses connections. Lost starts are at most, no longer exactly, as many as counted (default: off)',
      },
      {
        name: 'reliable-max-table',
        value: 'PERCENT',
        help: 'with --reliable: off while more than PERCENT of nf_conntrack_max is used (default 80%)',
      },
      {
        letter: 'N',
        name: 'nice',
        value: 'N',
        help:
          'nice value of all threads, -20 to 19 (default: unchanged, but 10 lower for the thread that takes the events, where that ' +
          'is permitted)',
      },
      {
        letter: 'U',
        name: 'user',
        value: 'USER',
        help: 'keep only CAP_NET_ADMIN and become USER, a name or number, with its groups (default: rights unchanged)',
      },
      {
        letter: 'G',
        name: 'group',
        value: 'GROUP',
        help: "become GROUP, a name or number (default: USER's own group)",
      },
      {
        letter: 'P',
        name: 'pidfile',
        value: 'FILE',
        help: 'write the process id into FILE; refused while its owner runs (default: none)',
      },
      { letter: 'F', name: 'foreground', help: 'stay in the foreground (default: go to the background)' },
      {
        name: 'flush-interval',
        value: 'TIME',
        help: 'longest time an event waits before it is written, as in 200ms, 2s, 5m (default 1s)',
      },
      {
        name: 'no-snapshot',
        help:
          'do not begin each file with the connections that are open then, nor compare the log with the kernel’s table ' +
          '(default: both; a table of a million entries costs about 200 MB of memory)',
      },
      {
        name: 'stop-timeout',
        value: 'TIME',
        help: 'longest time a stop may take to save what was received (default 30s)',
      },
      {
        name: 'mode',
        value: 'MODE',
        help:
          'octal mode of new log files, as in 0600 (default 0640); new directories get x where that has r. ' +
          'It counts as it is: the umask takes nothing away from it, nor from the default',
      },
      {
        name: 'min-free',
        value: 'SIZE',
        help:
          'write nothing while that would leave less than SIZE free on the disk, and wait as on a full disk: ' +
          'nothing durable suffers, the kernel drops and counts what does not fit into memory (default 0: until the disk is full)',
      },
      {
        name: 'keep-days',
        value: 'DAYS',
        help:
          'remove finished files whose last event is more than DAYS days old: at the start and at each rotation, ' +
          'only files of this -f and -p, each with a line in the log (default: keep all)',
      },
      {
        name: 'keep-bytes',
        value: 'SIZE',
        help:
          'remove the oldest of them when all together, with the live file and those on hold, are more than SIZE ' +
          '(default: keep all). With --keep-days or --keep-bytes, the oldest also go when the disk is full or --min-free is reached',
      },
      {
        name: 'hold',
        value: 'FILE',
        help:
          'never remove FILE: a path, or a bare name, which holds every file of that name; may be given several times. ' +
          'A file FILE.hold beside it does the same, also while the recorder runs (default: none)',
      },
      {
        name: 'progress-fd',
        value: 'N',
        help:
          'write a JSON line to descriptor N whenever events became durable; when nobody reads, later lines take the place of ' +
          'earlier ones (default: none)',
      },
      {
        name: 'replay',
        value: 'FILE',
        help: 'record from a pcap or pcapng of an nlmon interface instead of the kernel, in the foreground',
      },
      {
        name: 'keep-duplicates',
        help: 'with --replay: keep identical neighbours (default: a copy per listener counts once)',
      },
      {
        name: 'save-messages',
        value: 'FILE',
        help: 'also keep the received messages as a pcap, for a bug report (default: off)',
      },
      { name: 'save-limit', value: 'BYTES', help: 'size of that pcap at the most, as in 64M (default 64M)' },
      {
        name: 'log-format',
        value: 'FORMAT',
        help:
          'pretty, json or syslog (default: pretty on a terminal, else json; syslog in the background unless standard ' +
          'error is a file)',
      },
      debug,
    ],
    examples: [
      'ctrecorder -Cf /var/log/nat/%Y%m%d-%H%M.ct -t 60 -p all -U ctrecorder -P /run/ctrecorder.pid',
      'ctrecorder capture -F --file nat.ct --protocols tcp,udp',
    ],
  },
  {
    letter: 'L',
    word: 'list',
    summary: 'list the events or connections of a log file',
    options: [
      logFile,
      {
        letter: 'i',
        name: 'address',
        value: 'ADDRESS',
        help: 'only where one of the four addresses is in ADDRESS or ADDRESS/BITS; a comma list or several -i: any of them',
      },
      {
        letter: 'p',
        name: 'port',
        value: 'PORT',
        help: 'only where one of the four ports is PORT; a comma list or several -p: any of them',
      },
      { letter: 's', name: 'squeeze', help: 'join starts and ends and list connections' },
      { letter: 'H', name: 'no-header', help: 'no header lines on standard error' },
      { name: 'json', help: 'newline-delimited JSON (docs/json.md) instead of lines' },
      {
        name: 'show-snapshots',
        help: 'also list what the kernel’s table told and no event: O was open already, S? and E? were not seen',
      },
      { name: 'show-gaps', help: 'a line where events were lost' },
      debug,
    ],
    examples: ['ctrecorder -Lf nat.ct -i 10.0.0.0/8', 'xz -dc nat.ct.xz | ctrecorder -Lsf - -p 443'],
  },
  {
    letter: 'T',
    word: 'test',
    summary: 'check log files, and with several the chain between them',
    options: [logFile, debug],
    takes: 'files',
    examples: ['ctrecorder -Tf nat.ct', 'ctrecorder test 2026-*.ct'],
  },
  {
    letter: 'S',
    word: 'squeeze',
    summary: 'join starts and ends into connections and store those',
    options: [
      logFile,
      output('write to FILE, which must not exist (default: replace the log file after verification)'),
      debug,
    ],
    examples: ['ctrecorder -Sf nat.ct', 'ctrecorder squeeze -f nat.ct -o nat-squeezed.ct'],
  },
  {
    letter: 'H',
    word: 'header',
    summary: 'print the header of a log file',
    options: [logFile, debug],
    examples: ['ctrecorder -Hf nat.ct'],
  },
  {
    word: 'stats',
    summary: 'what log files hold, and what is missing in them',
    options: [
      logFile,
      { name: 'json', help: 'a JSON object for each file, and one for all of them (docs/json.md)' },
      debug,
    ],
    takes: 'files',
    examples: ['ctrecorder stats -f nat.ct', 'ctrecorder stats --json 2026-*.ct'],
  },
  {
    word: 'repair',
    summary: 'write what is intact of a damaged log file into a new one, with gaps where something was',
    options: [
      { ...logFile, help: 'log file of format 3, not packed; it is only read' },
      output('write to FILE, which must not exist (required)'),
      debug,
    ],
    takes: 'file',
    examples: ['ctrecorder repair nat.ct -o nat-repaired.ct'],
  },
  {
    word: 'tune',
    summary: 'watch this gateway without recording, and say which -b, -B and sysctls fit it',
    options: [
      { name: 'for', value: 'TIME', help: 'how long to watch (default 60s); Ctrl-C ends it early' },
      { letter: 'p', name: 'protocols', value: 'LIST', help: 'as of capture (default tcp)' },
      { letter: 'b', name: 'rcvbuf', value: 'KIB', help: 'socket buffer while watching (default 65536)' },
      { name: 'json', help: 'one JSON object (docs/json.md) instead of text' },
      debug,
    ],
    examples: ['ctrecorder tune --for 5m -p all'],
  },
  {
    letter: 'h',
    word: 'help',
    summary: 'print this help',
    options: [],
    examples: [],
  },
  {
    letter: 'V',
    word: 'version',
    summary: 'print version, file format and whether this machine can capture',
    options: [],
    examples: [],
  },
];

export function modeByWord(word: string): ModeSpec | undefined {
  return modes.find((mode) => mode.word === word);
}

export function modeByLetter(letter: string): ModeSpec | undefined {
  return modes.find((mode) => mode.letter === letter);
}

/** How messages name a mode: `-L`, or its word. */
export function modeName({ letter, word }: ModeSpec): string {
  return letter === undefined ? word : `-${letter}`;
}
