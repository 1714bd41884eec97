/** What listings say about layer-4 protocols: names, and what the two 16-bit port columns of a row mean. */

/** Names as in /etc/protocols, by IANA number. */
export const protocolNames: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'icmpv6',
  132: 'sctp',
  136: 'udplite',
};

export function protocolName(proto: number): string {
  return protocolNames[proto] ?? String(proto);
}

/** What the port columns hold. */
export const PortMeaning = { none: 0, ports: 1, icmp: 2, gre: 3 } as const;

/** PortMeaning by protocol number. */
export const portMeaning = new Uint8Array(256);
for (const proto of [6, 17, 33, 132, 136]) portMeaning[proto] = PortMeaning.ports;
for (const proto of [1, 58]) portMeaning[proto] = PortMeaning.icmp;
portMeaning[47] = PortMeaning.gre;
