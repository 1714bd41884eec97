/** The help, from the declarations: without clipanion, so that it answers at once. */
import type { CommandSpec, OptionSpec } from './declaration.js';

const TERM_COLUMNS = 30;
const LINE_COLUMNS = 100;

/** Help of every command. */
export function fullHelp(commands: readonly CommandSpec[]): string {
  return `${[
    'ctrecorder records the connections that cross this machine, from the kernel’s conntrack events, and finds them again.',
    '',
    'The mode comes first, as a letter (-Lf FILE) where it has one, or as a word (list --file FILE). Letters of other modes are ignored, with a note.',
    'Times are written 200ms, 2s, 5m, 1h or 30d, sizes 500K, 64M or 2G. For the help of one mode: ctrecorder MODE -h, or ctrecorder help MODE.',
    'Exit code: 0 for success, 1 for an error or damage found, 2 for wrong usage.',
  ]
    .map((line) => wrap(line, LINE_COLUMNS).join('\n'))
    .join('\n')}

${commands.map(commandHelp).join('\n')}`;
}

/** Help of one command. */
export function commandHelp(command: CommandSpec): string {
  const { letter, word, summary, examples } = command;
  const options = Object.values(command.options);
  const words = options.find(({ positional }) => positional);
  const files = words === undefined ? '' : ` [${words.value}${words.several ? '...' : ''}]`;
  const rest = options.length > 0 ? ` [OPTION...]${files}` : '';
  const byLetter = letter === undefined ? '' : `ctrecorder -${letter}${rest} or `;
  return [
    wrap(`${byLetter}ctrecorder ${word}${rest}: ${summary}`, LINE_COLUMNS).join('\n    '),
    ...options.map(optionHelp),
    ...examples.map((example) => `  example: ${example}`),
    '',
  ].join('\n');
}

function optionHelp(option: OptionSpec): string {
  const { letter, name, value, help } = option;
  const term = `  ${letter === undefined ? '   ' : `-${letter},`} --${name}${value === undefined ? '' : ` ${value}`}`;
  const lines = wrap(help + defaultHelp(option), LINE_COLUMNS - TERM_COLUMNS - 2);
  const indent = ' '.repeat(TERM_COLUMNS + 2);
  return `${term.padEnd(TERM_COLUMNS)}  ${lines.join(`\n${indent}`)}`;
}

function defaultHelp({ required, defaultText, ...option }: OptionSpec): string {
  if (required !== undefined) return ' (required)';
  const shown = defaultText ?? option.default;
  return shown === undefined ? '' : ` (default: ${shown})`;
}

function wrap(text: string, columns: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1];
    if (line !== '' && line.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}
