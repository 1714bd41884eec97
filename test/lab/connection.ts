/** Known connections: what traffic or injection made, in the words that listings print. */

export interface Tuple {
  readonly src: string;
  /** Source port; ICMP and ICMPv6: the id. */
  readonly sport: number;
  readonly dst: string;
  /** Destination port; ICMP and ICMPv6: type << 8 | code. */
  readonly dport: number;
}

export interface Connection {
  readonly proto: number;
  readonly zone?: number;
  readonly orig: Tuple;
  readonly reply: Tuple;
}

export const Proto = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

/** Both tuples as a listing prints them behind time and letter: `src=A:P dst=A:P src=A:P dst=A:P`. */
export function connectionText(connection: Connection): string {
  return `${tupleText(connection.proto, connection.orig)} ${tupleText(connection.proto, connection.reply)}`;
}

function tupleText(proto: number, { src, sport, dst, dport }: Tuple): string {
  if (proto === Proto.icmp || proto === Proto.icmpv6)
    return `src=${src} dst=${dst} type=${dport >>> 8} code=${dport & 255} id=${sport}`;
  return `src=${endpoint(src, sport)} dst=${endpoint(dst, dport)}`;
}

export function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
