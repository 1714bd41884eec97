/**
 * Every mode and option of the command line, declared once: the getopt step, the help and a test that compares them with the
 * commands' typed fields read it. Loads nothing heavy: `-h` answers from here.
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
  /** Letter of the ancestor's mode, as in `-C`. */
  readonly letter: string;
  readonly word: string;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  /** True when further words name files. */
  readonly takesFiles?: boolean;
  readonly examples: readonly string[];
}

const debug: OptionSpec = { name: 'debug', help: 'more log lines, and a stack trace with an error' };
const logFile: OptionSpec = {
  letter: 'f',
  name: 'file',
  value: 'FILE',
  help: 'log file; - is standard input, gzip is unpacked',
};

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
        letter: 'N',
        name: 'nice',
        value: 'N',
        help: 'nice value of all threads, -20 to 19 (default: unchanged)',
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
        name: 'progress-fd',
        value: 'N',
        help: 'write a JSON line to descriptor N whenever events became durable (default: none)',
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
        help: 'pretty, json or syslog (default: pretty on a terminal, else json; syslog in the background)',
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
      { name: 'show-snapshots', help: 'also list entries that were already open, letter O' },
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
    takesFiles: true,
    examples: ['ctrecorder -Tf nat.ct', 'ctrecorder test 2026-*.ct'],
  },
  {
    letter: 'S',
    word: 'squeeze',
    summary: 'join starts and ends into connections and store those',
    options: [
      logFile,
      {
        letter: 'o',
        name: 'output',
        value: 'FILE',
        help: 'write to FILE, which must not exist (default: replace the log file after verification)',
      },
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
