/** Values of options other than times and sizes. Each refusal is a UsageError of one line. */
import { UsageError } from '../../base/errors.js';
import { quoted } from '../../base/printable.js';
import { protocolNames, protocolNumber } from '../../event/protocols.js';
import { serviceNames, servicePort } from '../../event/services.js';
import type { PortRange } from '../../find/query/filter.js';
import { isIdentity } from '../../log/format/file-meta.js';
import type { Parser } from './declaration.js';
import { didYouMean } from './nearest.js';

const MAX_PORT = 65535;

export interface IntegerLimits {
  /** What the number is, as in "a nice value". */
  readonly what: string;
  readonly min: number;
  readonly max: number;
  readonly example: number;
}

/** A whole number. */
export function integer({ what, min, max, example }: IntegerLimits): Parser<number> {
  return (option, text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new UsageError(`${option} ${quoted(text)}: give ${what} from ${min} to ${max}, like ${example}`);
  };
}

/** `80%` or `80`: a whole number from 1 to 100. */
export function parsePercent(option: string, text: string): number {
  const percent = /^\d{1,3}%?$/.test(text) ? Number.parseInt(text, 10) : Number.NaN;
  if (percent >= 1 && percent <= 100) return percent;
  throw new UsageError(`${option} ${quoted(text)}: give a whole percentage from 1% to 100%, like 80%`);
}

/** Name of a recorder's identity. */
export function parseIdentity(option: string, name: string): string {
  if (isIdentity(name)) return name;
  const what = 'give 1 to 64 letters, digits, dots, underscores and dashes, like gw1';
  throw new UsageError(`${option} ${quoted(name)}: ${what}`);
}

/** Any text but the empty one. `what` says what is missing then, as in "a file". */
export function text(what: string): Parser<string> {
  return (option, value) => {
    if (value !== '') return value;
    throw new UsageError(`${option}: the value is empty; give ${what}`);
  };
}

/**
 * Octal mode of a file, as in `0640`: the owner must read and write, others must not write, nobody executes.
 */
export function parseFileMode(option: string, text: string): number {
  const mode = /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  if ((mode & 0o600) === 0o600 && (mode & 0o113) === 0) return mode;
  throw new UsageError(
    `${option} ${quoted(text)}: give an octal file mode, like 0640, that lets the owner read and write, ` +
      'does not let others write, and lets nobody execute',
  );
}

/** A mode as `parseFileMode` takes it. */
export function fileModeText(mode: number): string {
  return `0${mode.toString(8)}`;
}

/**
 * Comma list of layer-4 protocols by name or number, or `all`. Answers their numbers, ascending, each once.
 */
export function parseProtocols(option: string, text: string): readonly number[] | 'all' {
  if (text.toLowerCase() === 'all') return 'all';
  const numbers = text.split(',').map((word) => {
    const number = protocolNumber(word);
    if (number !== undefined) return number;
    const hint =
      didYouMean(word, [...protocolNames(), 'all']) ?? 'give names or numbers, like tcp,udp,47, or all';
    throw new UsageError(`${option} ${quoted(text)}: ${quoted(word)} is not a protocol; ${hint}`);
  });
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** Comma list of ports: numbers, ranges (`1000-2000`, both included) and names of services. */
export function parsePorts(option: string, text: string): readonly PortRange[] {
  return text.split(',').map((word) => {
    const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word) ?? [];
    const [first, last] =
      from === undefined ? [servicePort(word), servicePort(word)] : [Number(from), Number(to)];
    if (first !== undefined && last !== undefined && first <= last && last <= MAX_PORT)
      return { first, last };
    throw new UsageError(`${option} ${quoted(text)}: ${quoted(word)} ${notPorts(word)}`);
  });
}

function notPorts(word: string): string {
  const give = 'give ports, like 443, 1000-2000 or https';
  if (/^-?\d+$/.test(word)) return `is not a port from 0 to ${MAX_PORT}; ${give}`;
  if (/^\d+-\d+$/.test(word))
    return `is not a range from a lower to a higher port up to ${MAX_PORT}; ${give}`;
  if (protocolNumber(word) !== undefined) return `is a protocol, not a port; ${give}`;
  return `is not the name of a known service; ${didYouMean(word, serviceNames()) ?? give}`;
}

/** Comma list of addresses and networks, still as text, each checked. */
export async function parseNetworks(option: string, text: string): Promise<readonly string[]> {
  // Loaded here: the library for addresses is not needed to print a help.
  const { parseNetwork } = await import('../../find/query/filter.js');
  const networks = text.split(',');
  for (const network of networks) parseNetwork(network, option);
  return networks;
}

/** One of `choices`. */
export function choice<const T extends string>(choices: readonly T[]): Parser<T> {
  return (option, text) => {
    const found = choices.find((candidate) => candidate === text);
    if (found !== undefined) return found;
    throw new UsageError(`${option} ${quoted(text)}: give one of ${choices.join(', ')}`);
  };
}
