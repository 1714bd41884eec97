/**
 * Layer-4 protocols by IANA number (https://www.iana.org/assignments/protocol-numbers) and by the names of
 * /etc/protocols.
 */

const NAMES: Readonly<Record<number, string>> = {
  1: 'icmp',
  2: 'igmp',
  4: 'ipip',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  41: 'ipv6',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'icmpv6',
  89: 'ospf',
  103: 'pim',
  112: 'vrrp',
  115: 'l2tp',
  132: 'sctp',
  136: 'udplite',
};

/** Other names that users write for the same. */
const ALIASES: readonly (readonly [string, number])[] = [
  ['ipv6-icmp', 58],
  ['icmp6', 58],
  ['ipencap', 4],
];

const NUMBERS = new Map<string, number>([
  ...Object.entries(NAMES).map(([number, name]): [string, number] => [name, Number(number)]),
  ...ALIASES,
]);

/** What the two 16-bit columns of a tuple hold. */
export const PortMeaning = { none: 0, ports: 1, icmp: 2, gre: 3 } as const;

const MEANINGS = new Uint8Array(256);
for (const proto of [6, 17, 33, 132, 136]) MEANINGS[proto] = PortMeaning.ports;
for (const proto of [1, 58]) MEANINGS[proto] = PortMeaning.icmp;
MEANINGS[47] = PortMeaning.gre;

export function portMeaning(proto: number): number {
  return MEANINGS[proto];
}

/** Name of a protocol, its number where it has none. */
export function protocolName(proto: number): string {
  return NAMES[proto] ?? String(proto);
}

/** Number of a protocol given by name (any case) or number 0 to 255; undefined when there is none. */
export function protocolNumber(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= 255 ? Number(text) : undefined;
  return NUMBERS.get(text.toLowerCase());
}

/** Every name that `protocolNumber` knows. */
export function protocolNames(): readonly string[] {
  return [...NUMBERS.keys()];
}
