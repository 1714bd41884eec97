/**
 * How a command and its options are declared: as data, each once, in the command's file. The getopt step, the
 * help and clipanion's class are made from it. Loads nothing and does nothing.
 */

/**
 * From the text of a value to what it means, or UsageError of one line. `option` is the option as the user
 * typed it, as in "-t" or "--rotate". What needs more than this folder to judge a value loads it then, and
 * answers with a promise.
 */
export type Parser<T> = (option: string, text: string) => T;

export interface OptionSpec {
  /** The ancestor's letter, where there is one. */
  readonly letter?: string;
  /** Long name without the dashes. */
  readonly name: string;
  /** What the value is called in the help; without it the option is a switch. */
  readonly value?: string;
  /** Without the default, which is written behind it. */
  readonly help: string;
  readonly parse?: Parser<unknown>;
  readonly default?: unknown;
  /** The default in the help: as a user would type it, or in words where there is no value. */
  readonly defaultText?: string;
  /** It may be given several times, and its values are a list. Without it the last one counts. */
  readonly several?: true;
  /** Words without an option are its values too. */
  readonly positional?: true;
  /** It must be given: what the command needs, for the message, as in "a file". */
  readonly required?: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export interface CommandSpec<O extends OptionSpecs = OptionSpecs> {
  /** Letter of the ancestor's mode, as in `-C`; what the ancestor did not have is a word only. */
  readonly letter?: string;
  /** Also the name of the command's file. */
  readonly word: string;
  readonly summary: string;
  /** By the name that the command knows the value by. */
  readonly options: O;
  readonly examples: readonly string[];
}

type ValueOf<S extends OptionSpec> = S extends { readonly parse: Parser<infer T> }
  ? S extends { readonly several: true }
    ? readonly Awaited<T>[]
    : S extends { readonly default: unknown } | { readonly required: string }
      ? Awaited<T>
      : Awaited<T> | undefined
  : boolean;

/** What a command receives: every option with its parsed value, its default, or undefined. */
export type ValuesOf<O extends OptionSpecs> = { readonly [K in keyof O]: ValueOf<O[K]> };

/** Keeps the exact type of each option, so that the command's values are typed. */
export function command<const O extends OptionSpecs>(spec: CommandSpec<O>): CommandSpec<O> {
  return spec;
}

/** How messages name a command: `-L`, or its word. */
export function commandName({ letter, word }: CommandSpec): string {
  return letter === undefined ? word : `-${letter}`;
}
