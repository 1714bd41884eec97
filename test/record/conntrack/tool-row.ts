/** A line of `conntrack -E -o id` as the part of a row that it tells. */
import { tcpStateNames } from '../../../src/find/output/json.js';
import type { Row, Side } from './decoded.js';

export type ToldRow = Omit<
  Row,
  'partial' | 'timeUs' | 'timeSource' | 'startUs' | 'status' | 'labels' | 'use'
>;

const directions = ['zone', 'zone-orig', 'zone-reply'];

/** `[NEW] tcp 6 120 SYN_SENT src=... dst=... sport=... dport=... [UNREPLIED] src=... ... id=...` */
export function toldRow(line: string): ToldRow {
  const words = line.split(' ');
  const [, , proto, timeoutSeconds, state] = words;
  const values = words
    .filter((word) => word.includes('='))
    .map((word) => word.split('=') as [string, string]);
  const second = values.findLastIndex(([key]) => key === 'src');
  // What belongs to no tuple stands behind the second, or carries a name of its own.
  const outer = new Map([...values.slice(0, second), ...values.slice(second)]);
  const zoneKey = directions.find((key) => outer.has(key));
  return {
    kind: words[0] === '[NEW]' ? 'start' : 'end',
    proto: Number(proto),
    orig: toldSide(values.slice(0, second)),
    reply: toldSide(values.slice(second)),
    replied: !words.includes('[UNREPLIED]'),
    mark: Number(outer.get('mark') ?? 0),
    zone: zoneKey === undefined ? 0 : Number(outer.get(zoneKey)),
    zoneDirection: zoneKey === undefined ? 0 : directions.indexOf(zoneKey),
    tcpState: proto === '6' ? tcpStateNames.indexOf(state) + 1 : 0,
    id: Number(values.at(-1)![1]),
    timeoutSeconds: Number(timeoutSeconds),
    helper: outer.get('helper') ?? '',
  };
}

/** ICMP: the id stands for the source port, type and code for the destination port; GRE: the keys. */
function toldSide(values: readonly [string, string][]): Side {
  const first = (key: string) => values.find(([name]) => name === key)?.[1];
  const isIcmp = first('type') !== undefined;
  return {
    src: first('src')!,
    dst: first('dst')!,
    sport: Number(isIcmp ? first('id') : (first('sport') ?? first('srckey') ?? 0)),
    dport: isIcmp
      ? (Number(first('type')) << 8) | Number(first('code'))
      : Number(first('dport') ?? first('dstkey') ?? 0),
    packets: BigInt(first('packets') ?? 0),
    bytes: BigInt(first('bytes') ?? 0),
  };
}
