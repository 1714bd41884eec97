/**
 * The common entry of a dump, read in one go: both IPv4 tuples in the plain shape
 * (conntrack/plain-tuples.ts), and behind them what the decoder has learned to be there
 * (conntrack/shapes.ts). Table worker's thread, per entry: no allocation.
 */

import { RecordFlag, ZoneDirection } from '../../event/batch.js';
import { DIRECTION_SHIFT, PROTO_SHIFT } from '../../event/key.js';
import type { KeyedRows } from '../../event/keyed-rows.js';
import { Field } from '../conntrack/attributes.js';
import { toMicroseconds } from '../conntrack/event-time.js';
import { arePlainTuples, PLAIN_TUPLES_BYTES, swap16, swap32 } from '../conntrack/plain-tuples.js';
import { findShape } from '../conntrack/shapes.js';
import { IPS_SEEN_REPLY } from '../netlink/constants.js';

/**
 * Append the attributes in [at, end), bytes on a word boundary of `words`, to `rows`, which are IPv4 and have
 * room. False, and nothing is done, when they are not what nearly all entries have. Kind, time and its source
 * are left to the caller.
 */
export function readPlainEntry(words: Uint32Array, at: number, end: number, rows: KeyedRows): boolean {
  if (end - at < PLAIN_TUPLES_BYTES || !arePlainTuples(words, at >>> 2)) return false;
  const restAt = at + PLAIN_TUPLES_BYTES;
  const shape = findShape(words, restAt >>> 2, end - restAt);
  if (shape === undefined) return false;
  const { byteOf } = shape;
  const rest = restAt >>> 2;
  const statusWord = byteOf[Field.status] >>> 2;
  const status = statusWord === 0 ? 0 : swap32(words[rest + statusWord]);
  const markWord = byteOf[Field.mark] >>> 2;
  const zoneWord = byteOf[Field.zone] >>> 2;
  const zone = zoneWord === 0 ? 0 : swap16(words[rest + zoneWord]) | (ZoneDirection.both << DIRECTION_SHIFT);
  const startWord = byteOf[Field.timeStart] >>> 2;
  const { keys } = rows;
  const row = rows.count++;
  const key = row * rows.keyWords;
  at >>>= 2;
  keys[key] = swap32(words[at + 3]);
  keys[key + 1] = swap32(words[at + 5]);
  keys[key + 2] = swap32(words[at + 16]);
  keys[key + 3] = swap32(words[at + 18]);
  keys[key + 4] = (swap16(words[at + 10]) << 16) | swap16(words[at + 12]);
  keys[key + 5] = (swap16(words[at + 23]) << 16) | swap16(words[at + 25]);
  keys[key + 6] = zone | ((words[at + 8] & 0xff) << PROTO_SHIFT);
  rows.flags[row] = status & IPS_SEEN_REPLY ? RecordFlag.replied : 0;
  rows.status[row] = status;
  rows.mark[row] = markWord === 0 ? 0 : swap32(words[rest + markWord]);
  rows.startUs[row] =
    startWord === 0
      ? 0
      : toMicroseconds(swap32(words[rest + startWord]), swap32(words[rest + startWord + 1]));
  return true;
}
