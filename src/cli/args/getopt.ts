/**
 * The step in front of clipanion for the habits of the ancestor's getopt: the mode comes first (`-L`, also
 * bundled: `-Lsf path`), a value is attached or separate, switches are bundled, and a letter that belongs to
 * another mode is ignored with its value. Everything is translated to a mode and long names, which is all
 * that the commands know.
 */
import { UsageError } from '../../base/errors.js';
import { quoted } from '../../base/printable.js';
import { type ModeSpec, modeByLetter, modeByWord, modeName, modes, type OptionSpec } from './modes.js';

export interface Translated {
  readonly mode: ModeSpec;
  /**
   * For clipanion, without the mode's word: `--name=value` and `--name`, then `--` and files where the mode
   * takes them.
   */
  readonly args: readonly string[];
  /** The user asked for the help of this mode. */
  readonly help: boolean;
}

const SEE_HELP = 'see ctrecorder -h';

/** Letters of all modes: whether they take a value. `a` was planned by the ancestor's author. */
const letterTakesValue = new Map<string, boolean>([['a', false]]);
for (const mode of modes)
  for (const { letter, value } of mode.options)
    if (letter !== undefined) letterTakesValue.set(letter, value !== undefined);

/** `argv` without node and script. Throws UsageError, one line. */
export function translate(argv: readonly string[]): Translated {
  const words = [...argv];
  const mode = takeMode(words);
  return new Translation(mode, words).run();
}

/** The mode; letters bundled with it (`-Cf`) stay as the first word. */
function takeMode(words: string[]): ModeSpec {
  const first = words.shift();
  if (first === undefined) throw new UsageError(`no mode given: begin with ${modeList()}; ${SEE_HELP}`);
  const named = first === '--help' ? 'help' : first === '--version' ? 'version' : first;
  const byWord = modeByWord(named);
  if (byWord !== undefined) return byWord;
  const byLetter = /^-[^-]/.test(first) ? modeByLetter(first[1]) : undefined;
  if (byLetter === undefined) {
    if (first.startsWith('-a')) throw new UsageError(`-a: not yet; begin with ${modeList()}`);
    const what = first.startsWith('-') ? 'is not a mode' : 'is no mode';
    throw new UsageError(`${quoted(first)} ${what}: begin with ${modeList()}; ${SEE_HELP}`);
  }
  if (first.length > 2) words.unshift(`-${first.slice(2)}`);
  return byLetter;
}

function modeList(): string {
  return modes.map(modeName).join(', ');
}

class Translation {
  readonly #args: string[] = [];
  readonly #files: string[] = [];
  #help = false;

  constructor(
    readonly mode: ModeSpec,
    readonly words: string[],
  ) {}

  run(): Translated {
    for (let word = this.words.shift(); word !== undefined; word = this.words.shift()) {
      if (word === '--') this.#files.push(...this.words.splice(0));
      else if (word.startsWith('--')) this.#long(word.slice(2));
      else if (word.startsWith('-') && word !== '-') this.#letters(word.slice(1));
      else this.#files.push(word);
    }
    const { mode } = this;
    const [extra] = this.#files;
    if (extra !== undefined && mode.takes === undefined && mode.options.length > 0 && !this.#help) {
      const hint = mode.options.some(({ letter }) => letter === 'f') ? 'name the log file with -f' : SEE_HELP;
      throw new UsageError(`${quoted(extra)}: unexpected argument of ${mode.word}; ${hint}`);
    }
    const files = mode.takes !== undefined && this.#files.length > 0 ? ['--', ...this.#files] : [];
    return { mode, args: [...this.#args, ...files], help: this.#help };
  }

  #long(text: string): void {
    const equals = text.indexOf('=');
    const name = equals < 0 ? text : text.slice(0, equals);
    if (name === 'help') {
      this.#help = true;
      return;
    }
    const option = this.mode.options.find((candidate) => candidate.name === name);
    if (option === undefined)
      throw new UsageError(`--${quoted(name)}: unknown option of ${this.mode.word}; ${SEE_HELP}`);
    if (option.value !== undefined)
      this.#push(option, equals < 0 ? this.#next(`--${name}`, option.value) : text.slice(equals + 1));
    else if (equals < 0) this.#push(option);
    else throw new UsageError(`--${name} takes no value`);
  }

  #letters(bundle: string): void {
    for (let at = 0; at < bundle.length; ) {
      const letter = String.fromCodePoint(bundle.codePointAt(at)!);
      at += letter.length;
      const option = this.mode.options.find((candidate) => candidate.letter === letter);
      const takesValue = option === undefined ? letterTakesValue.get(letter) : option.value !== undefined;
      if (option === undefined) this.#foreign(letter, takesValue);
      if (takesValue !== true) {
        if (option !== undefined) this.#push(option);
        continue;
      }
      const value =
        at < bundle.length ? bundle.slice(at) : this.#next(`-${letter}`, option?.value ?? 'value');
      if (option !== undefined) this.#push(option, value);
      return;
    }
  }

  /** A letter that this mode does not have: of another mode it is ignored, of none it is an error. */
  #foreign(letter: string, takesValue: boolean | undefined): void {
    if (letter === 'h') this.#help = true;
    else if (letter === 'a' || (letter === 's' && this.mode.letter === 'C'))
      throw new UsageError(`-${letter} in mode ${modeName(this.mode)}: not yet; leave it out`);
    else if (takesValue === undefined) {
      const what =
        modeByLetter(letter) === undefined ? 'unknown option' : `a second mode after ${modeName(this.mode)}`;
      throw new UsageError(`-${quoted(letter)}: ${what}; ${SEE_HELP}`);
    }
  }

  #next(option: string, value: string): string {
    const word = this.words.shift();
    if (word !== undefined) return word;
    throw new UsageError(
      `${option}: the ${value === 'value' ? value : `value ${value}`} is missing; ${SEE_HELP}`,
    );
  }

  #push({ name }: OptionSpec, value?: string): void {
    this.#args.push(value === undefined ? `--${name}` : `--${name}=${value}`);
  }
}
