/** Between run.ts and a command: clipanion's class, made from the command's declaration. */
import { UsageError } from '../../base/errors.js';
import { quoted } from '../../base/printable.js';
import {
  type CommandSpec,
  commandName,
  type OptionSpec,
  type OptionSpecs,
  type ValuesOf,
} from './declaration.js';
import type { Given } from './getopt.js';

/** From the options given to the exit code. */
export type Run = (given: readonly Given[]) => Promise<number>;

/** `execute` gets every option's parsed value or default, and answers the exit code. */
export function runner<O extends OptionSpecs>(
  spec: CommandSpec<O>,
  execute: (values: ValuesOf<O>) => Promise<number>,
): Run {
  return async (given) => {
    const fields = await clipanionFields(spec, given);
    const values: Record<string, unknown> = {};
    for (const [key, option] of Object.entries(spec.options)) {
      const typed = given.filter(({ name }) => name === option.name).map((one) => one.typed);
      values[key] = await parsedValue(spec, option, fields[key], typed);
    }
    return execute(values as ValuesOf<O>);
  };
}

/** What clipanion makes of the options, by their declared names: texts, lists of texts, booleans. */
async function clipanionFields(spec: CommandSpec, given: readonly Given[]): Promise<Record<string, unknown>> {
  // Loaded here, so that a declaration is read without it.
  const { Cli, Command, Option } = await import('clipanion');
  class Made extends Command {
    static override paths = [[spec.word]];
    constructor() {
      super();
      for (const [key, { name, value, several }] of Object.entries(spec.options))
        Object.assign(this, {
          [key]:
            value === undefined
              ? Option.Boolean(`--${name}`, false)
              : several
                ? Option.Array(`--${name}`, [])
                : Option.String(`--${name}`),
        });
    }
    override execute(): Promise<never> {
      throw new Error('clipanion only sorts the options');
    }
  }
  const args = given.map(({ name, text }) => (text === undefined ? `--${name}` : `--${name}=${text}`));
  try {
    const made = Cli.from([Made], { binaryName: 'ctrecorder' }).process([spec.word, ...args], {});
    return made as unknown as Record<string, unknown>;
  } catch (error) {
    // Clipanion's refusals are several lines; by now getopt.ts has refused whatever it can see.
    if ((error as { clipanion?: unknown }).clipanion === undefined) throw error;
    throw new UsageError(
      `${quoted(args.join(' '))}: ${(error as Error).message.split('\n', 1)[0]}; see ctrecorder ${spec.word} -h`,
    );
  }
}

/** `typed`: how the user named the option, for each time that it was given. */
async function parsedValue(
  spec: CommandSpec,
  option: OptionSpec,
  field: unknown,
  typed: readonly string[],
): Promise<unknown> {
  const { parse, several, required, letter, name, value } = option;
  if (parse === undefined) return field;
  if (required !== undefined && typed.length === 0) {
    const add = letter === undefined ? `--${name}` : `-${letter}`;
    throw new UsageError(`${commandName(spec)} needs ${required}: add ${add} ${value}`);
  }
  if (several) return Promise.all((field as string[]).map((text, i) => parse(typed[i], text)));
  return field === undefined ? option.default : parse(typed.at(-1)!, field as string);
}
