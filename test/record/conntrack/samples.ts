/** Events with everything that a message can have, and what traps do to them. */
import assert from 'node:assert/strict';
import type { DecodeCounters } from '../../../src/record/conntrack/decode.js';
import { decode, type Row } from './decoded.js';
import { encodeMessage, MSG_CT_DELETE, type Node } from './encode-message.js';
import { type Event, rowFor } from './events.js';

export const tcpEnd: Event = {
  kind: 'end',
  family: 4,
  proto: 6,
  orig: { src: '10.0.0.1', sport: 1001, dst: '192.0.2.1', dport: 80 },
  reply: { src: '192.0.2.2', sport: 8080, dst: '203.0.113.1', dport: 2002 },
  zone: { number: 7, direction: 'both' },
  status: 0x18e,
  mark: 0xdeadbeef,
  tcpState: 7,
  counters: [1n, 2n, 3n, 4n],
  id: 0x12345678,
  timeoutSeconds: 119,
  use: 2,
  labels: Uint8Array.from({ length: 16 }, (_, i) => 255 - i),
  helper: 'ftp',
  startNs: 1_790_000_000_000_001_000n,
  stopNs: 1_790_000_001_000_002_000n,
  eventNs: 1_790_000_001_000_003_000n,
};
export const tcpRow = rowFor(tcpEnd);

export const icmpEnd: Event = {
  ...tcpEnd,
  proto: 1,
  tcpState: undefined,
  orig: { ...tcpEnd.orig, dport: 0x0800 },
  reply: { ...tcpEnd.reply, dport: 0x0000 },
};

export const ipv6End: Event = {
  ...tcpEnd,
  family: 6,
  zone: { number: 7, direction: 'orig' },
  orig: { ...tcpEnd.orig, src: 'fd77::1', dst: '2001:db8::1' },
  reply: { ...tcpEnd.reply, src: '2001:db8::2', dst: '2001:db8:100::1' },
};

/** A DESTROY of these attributes. */
export function end(nodes: readonly Node[]): Buffer {
  return encodeMessage(nodes, { type: MSG_CT_DELETE });
}

/** The row of a message that is flagged as partly unreadable, and counted so. */
export function partialRow(message: Uint8Array): Row {
  const { row, counters } = decode(message);
  assert.ok(row, 'not recorded');
  assert.deepEqual([row.partial, counters.partial, counters.malformed], [true, 1, 0]);
  return row;
}

/** Counters that are not zero. */
export function counted(counters: DecodeCounters): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0));
}

/** The tree with every node of a name, wherever it stands, replaced. */
export function replaced(nodes: readonly Node[], name: string, by: (node: Node) => Node[]): Node[] {
  return nodes.flatMap((node): Node[] => {
    if (node[0] === name) return by(node);
    return isNested(node) ? [[node[0], replaced(node[1], name, by)]] : [node];
  });
}

/** Names of the values in the tree, or of the attributes that hold others. */
export function namesIn(nodes: readonly Node[], nested: boolean): string[] {
  return nodes.flatMap((node) => [
    ...(isNested(node) === nested ? [node[0] as string] : []),
    ...(isNested(node) ? namesIn(node[1], nested) : []),
  ]);
}

function isNested(node: Node): node is readonly [string, readonly Node[]] {
  return Array.isArray(node[1]);
}

/**
 * Fails unless every value is the whole row's or, because it could not be read, zero. The time may come from
 * a coarser source: it is compared where the source is the same.
 */
export function assertPartOf(row: Row, whole: Row, what: string): void {
  const found = flat(row);
  for (const [key, expected] of flat(whole)) {
    if (key === 'partial' || key === 'timeSource') continue;
    if (key === 'timeUs' && row.timeSource !== whole.timeSource) continue;
    const value = found.get(key)!;
    assert.ok(value === expected || isZero(value), `${what}: ${key} is ${value} instead of ${expected}`);
  }
}

function flat(row: Row): Map<string, unknown> {
  const { orig, reply, ...rest } = row;
  const side = (name: string, values: Row['orig']): [string, unknown][] =>
    Object.entries(values).map(([key, value]) => [`${name}.${key}`, value]);
  return new Map([...Object.entries(rest), ...side('orig', orig), ...side('reply', reply)]);
}

function isZero(value: unknown): boolean {
  return value === '::' || value === '0.0.0.0' || !value || /^0+$/.test(String(value));
}
