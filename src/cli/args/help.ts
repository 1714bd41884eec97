/** The help, from the declarations in modes.ts: without clipanion, so that it answers at once. */
import { type ModeSpec, modes, type OptionSpec } from './modes.js';

const TERM_COLUMNS = 30;
const LINE_COLUMNS = 100;

/** Help of every mode. */
export function fullHelp(): string {
  return `ctrecorder records the connections that cross this machine, from the kernel's conntrack events, and finds them again.

The mode comes first, as a letter (-Lf FILE) where it has one, or as a word (list --file FILE). Letters of another mode are ignored.
Times are written 200ms, 2s or 5m, sizes 500K, 64M or 2G. Every mode with options also takes -h or --help.
Exit code: 0 done, 1 error or damage found, 2 wrong usage.

${modes.map(modeHelp).join('\n')}`;
}

/** Help of one mode. */
export function modeHelp(mode: ModeSpec): string {
  const files = { none: '', file: ' [FILE]', files: ' [FILE...]' }[mode.takes ?? 'none'];
  const rest = mode.options.length > 0 ? ` [OPTION...]${files}` : '';
  const byLetter = mode.letter === undefined ? '' : `ctrecorder -${mode.letter}${rest}  or  `;
  return [
    `${byLetter}ctrecorder ${mode.word}${rest}: ${mode.summary}`,
    ...mode.options.map(optionHelp),
    ...mode.examples.map((example) => `  example: ${example}`),
    '',
  ].join('\n');
}

function optionHelp({ letter, name, value, help }: OptionSpec): string {
  const term = `  ${letter === undefined ? '   ' : `-${letter},`} --${name}${value === undefined ? '' : ` ${value}`}`;
  const lines = wrap(help, LINE_COLUMNS - TERM_COLUMNS - 2);
  const indent = ' '.repeat(TERM_COLUMNS + 2);
  return `${term.padEnd(TERM_COLUMNS)}  ${lines.join(`\n${indent}`)}`;
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
