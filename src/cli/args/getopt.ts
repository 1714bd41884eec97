/**
 * The step in front of clipanion for the habits of the ancestor's getopt: the mode comes first (`-L`, also
 * bundled: `-Lsf path`), a value is attached or separate, switches are bundled, and a letter that belongs to
 * another mode is ignored with its value. What comes out are a command and its options.
 */
import { UsageError } from '../../base/errors.js';
import { printable, quoted } from '../../base/printable.js';
import { type CommandSpec, commandName, type OptionSpec } from './declaration.js';
import { didYouMean } from './nearest.js';

/** An option as it was given. */
export interface Given {
  /** Its long name. */
  readonly name: string;
  /** As the user typed it, as in "-t" or "--rotate"; the name of the option's value for a bare word. */
  readonly typed: string;
  /** Its value, unless it is a switch. */
  readonly text?: string;
}

export interface Translated {
  readonly command: CommandSpec;
  /** In the order of the command line. */
  readonly given: readonly Given[];
  /** The help was asked for: of this command, or of all where the command is `help`. */
  readonly help: boolean;
  /** Letters of other commands, which were ignored with their values, each once. */
  readonly ignored: readonly string[];
}

/** Planned by the ancestor's author, and understood by none of its versions. */
const PLANNED = 'a';

/**
 * `argv` without node and script; `commands` are all there are. Throws UsageError, one line.
 */
export function translate(argv: readonly string[], commands: readonly CommandSpec[]): Translated {
  const words = [...argv];
  const command = takeCommand(words, commands);
  if (command.word !== 'help') return new Translation(command, commands, words).run();
  const topic = words.find((word) => word !== '--debug');
  return {
    command: topic === undefined ? command : commandNamed(topic, commands),
    given: [],
    help: true,
    ignored: [],
  };
}

/** The command; letters bundled with its own (`-Cf`) stay as the first word. */
function takeCommand(words: string[], commands: readonly CommandSpec[]): CommandSpec {
  const first = words.shift();
  if (first === undefined)
    throw new UsageError(`no mode given: begin with ${listOf(commands)}; see ctrecorder -h`);
  const command = commandNamed(first, commands);
  if (/^-[^-]./.test(first)) words.unshift(`-${first.slice(2)}`);
  return command;
}

/** By its word (`list`), its letter, whatever is bundled with it (`-Lf`), or for a topic of `help` both. */
function commandNamed(word: string, commands: readonly CommandSpec[]): CommandSpec {
  const name = ['--help', '--version'].includes(word) ? word.slice(2) : word;
  const letter = /^-([^-])/u.exec(word)?.[1];
  const found = commands.find((candidate) =>
    letter === undefined ? candidate.word === name : candidate.letter === letter,
  );
  if (found !== undefined) return found;
  if (letter === PLANNED)
    throw new UsageError(`-${PLANNED}: not available yet; begin with ${listOf(commands)}`);
  const words = commands.map((candidate) => candidate.word);
  const meant = letter === undefined ? didYouMean(word, words) : undefined;
  throw new UsageError(
    `${quoted(word)} is not a mode; ${meant ?? `begin with ${listOf(commands)}; see ctrecorder -h`}`,
  );
}

function listOf(commands: readonly CommandSpec[]): string {
  return commands.map(commandName).join(', ');
}

class Translation {
  readonly #given: Given[] = [];
  readonly #ignored = new Set<string>();
  readonly #options: readonly OptionSpec[];
  readonly #seeHelp: string;
  #extra: string | undefined;
  #help = false;

  constructor(
    readonly command: CommandSpec,
    readonly commands: readonly CommandSpec[],
    readonly words: string[],
  ) {
    this.#options = Object.values(command.options);
    this.#seeHelp = `see ctrecorder ${commandName(command)} -h`;
  }

  run(): Translated {
    for (let word = this.words.shift(); word !== undefined; word = this.words.shift()) {
      if (word === '--') for (const rest of this.words.splice(0)) this.#bare(rest);
      else if (word.startsWith('--')) this.#long(word.slice(2));
      else if (word.startsWith('-') && word !== '-') this.#letters(word.slice(1));
      else this.#bare(word);
    }
    if (this.#extra !== undefined && !this.#help) this.#refuseExtra(this.#extra);
    return {
      command: this.command,
      given: this.#given,
      help: this.#help,
      ignored: [...this.#ignored],
    };
  }

  /** A word without an option: a value of the option that takes such, or refused unless help is asked for. */
  #bare(word: string): void {
    const option = this.#options.find(({ positional }) => positional);
    const isTaken = option?.several !== true && this.#given.some(({ name }) => name === option?.name);
    if (option === undefined || isTaken) this.#extra ??= word;
    else this.#given.push({ name: option.name, typed: option.value!, text: word });
  }

  #refuseExtra(word: string): void {
    const { word: name } = this.command;
    if (this.#options.length === 0) return;
    if (this.#options.some(({ positional }) => positional))
      throw new UsageError(`${quoted(word)}: ${name} takes one file; run it once for each`);
    const hint = this.#options.some(({ letter }) => letter === 'f')
      ? 'name the log file with -f'
      : this.#seeHelp;
    throw new UsageError(`${quoted(word)}: unexpected argument of ${name}; ${hint}`);
  }

  #long(word: string): void {
    const [, name, text] = /^([^=]*)(?:=(.*))?$/s.exec(word)!;
    if (name === 'help') {
      this.#help = true;
      return;
    }
    const option = this.#options.find((candidate) => candidate.name === name);
    const typed = `--${name}`;
    if (option === undefined) this.#refuseLong(name);
    if (option.value !== undefined)
      this.#given.push({ name, typed, text: text ?? this.#next(typed, option.value) });
    else if (text === undefined) this.#given.push({ name, typed });
    else throw new UsageError(`${typed} takes no value`);
  }

  #refuseLong(name: string): never {
    const { word } = this.command;
    const owner = this.commands.find(({ options }) =>
      Object.values(options).some((option) => option.name === name),
    );
    const names = this.#options.map((option) => option.name);
    throw new UsageError(
      owner === undefined
        ? `--${printable(name)}: unknown option of ${word}; ${didYouMean(name, names, '--') ?? this.#seeHelp}`
        : `--${name}: an option of ${owner.word}, not of ${word}; ${this.#seeHelp}`,
    );
  }

  #letters(bundle: string): void {
    for (let at = 0; at < bundle.length; ) {
      const letter = String.fromCodePoint(bundle.codePointAt(at)!);
      const typed = `-${letter}`;
      at += letter.length;
      const own = this.#options.find((candidate) => candidate.letter === letter);
      const option = own ?? this.#foreign(letter);
      if (option?.value === undefined) {
        if (own !== undefined) this.#given.push({ name: own.name, typed });
        continue;
      }
      const text = at < bundle.length ? bundle.slice(at) : this.#next(typed, option.value);
      if (own !== undefined) this.#given.push({ name: own.name, typed, text });
      return;
    }
  }

  /** A letter that this command does not have: of another one it is ignored, of none it is an error. */
  #foreign(letter: string): OptionSpec | undefined {
    if (letter === 'h') {
      this.#help = true;
      return undefined;
    }
    const name = commandName(this.command);
    if (letter === PLANNED || (letter === 's' && this.command.letter === 'C'))
      throw new UsageError(`-${letter}: not available with ${name} yet; leave it out`);
    for (const { options } of this.commands) {
      const option = Object.values(options).find((candidate) => candidate.letter === letter);
      if (option === undefined) continue;
      this.#ignored.add(letter);
      return option;
    }
    const isMode = this.commands.some((candidate) => candidate.letter === letter);
    throw new UsageError(
      `-${quoted(letter)}: ${isMode ? `a second mode after ${name}` : 'unknown option'}; ${this.#seeHelp}`,
    );
  }

  #next(typed: string, value: string): string {
    const word = this.words.shift();
    if (word !== undefined) return word;
    throw new UsageError(`${typed}: its value ${value} is missing; ${this.#seeHelp}`);
  }
}
