/**
 * Header of the ancestor's files (ctrecorder 0.1.6, format 2): 256 bytes, packed, big-endian. Offsets below;
 * the rest is unused.
 */

import { DamageError } from '../../base/errors.js';
import { TimeWriter } from '../../base/time/time-text.js';
import { localZone } from '../../base/time/zone.js';
import { protocolName } from '../../event/protocols.js';
import type { LogHeader } from './source.js';

const LEGACY_MAGIC = 0x43544e4c;
export const LEGACY_HEADER_BYTES = 256;
export const LEGACY_EVENT_BYTES = 33;
export const LEGACY_CONNECTION_BYTES = 40;

const Field = {
  magic: 0,
  version: 4,
  headerBytes: 8,
  entryBytes: 10,
  footerBytes: 12,
  flags: 14,
  protocol: 18,
  hostname: 19,
  startSeconds: 52,
  endSeconds: 60,
  minutesWest: 68,
  dst: 72,
  utcOffsetSeconds: 76,
  localStart: 80,
} as const;
const HOSTNAME_BYTES = 33;

/** True when the bytes begin like a file of format 2 (or 1). */
export function looksLegacy(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(Field.magic) === LEGACY_MAGIC;
}

/**
 * Decode a header; `bytes` may be longer. DamageError when it is too short, not of format 2, or contradicts
 * itself.
 */
export function parseLegacyHeader(bytes: Uint8Array, file: string): LogHeader {
  if (bytes.length === 0) throw new DamageError('empty', { file, offsetBytes: 0 }, 'the file is empty');
  if (!looksLegacy(bytes))
    throw new DamageError('not-a-log', { file, offsetBytes: 0 }, 'not a ctrecorder log');
  const view = viewOf(bytes);
  if (bytes.length >= 8 && view.getUint32(Field.version) !== 2)
    throw new DamageError(
      'unsupported-version',
      { file, offsetBytes: Field.version },
      `format version ${view.getUint32(Field.version)} of the old recorder cannot be read, only version 2`,
    );
  if (bytes.length < LEGACY_HEADER_BYTES)
    throw new DamageError(
      'truncated',
      { file, offsetBytes: bytes.length },
      `cut off within the header (${bytes.length} of ${LEGACY_HEADER_BYTES} bytes)`,
    );
  const flags = view.getUint32(Field.flags);
  // A squeezed file still names the length of an event entry.
  const sound =
    view.getUint16(Field.headerBytes) === LEGACY_HEADER_BYTES &&
    view.getUint16(Field.entryBytes) === LEGACY_EVENT_BYTES &&
    view.getUint16(Field.footerBytes) === 0 &&
    // The bit was written as a 16-bit value in network order: 00 01 00 00 on a little-endian machine.
    (flags & ~0x00010001) === 0;
  if (!sound)
    throw new DamageError(
      'bad-header',
      { file, offsetBytes: Field.headerBytes },
      'the header contradicts itself',
    );
  const protocol = view.getUint8(Field.protocol);
  return {
    file,
    formatMajor: 2,
    formatMinor: 0,
    squeezed: flags !== 0,
    protocols: [protocol],
    hostname: hostnameOf(bytes),
    startUs: microseconds(view, Field.startSeconds),
    minutesWest: view.getInt32(Field.minutesWest),
    dst: view.getInt32(Field.dst),
    utcOffsetSeconds: view.getInt32(Field.utcOffsetSeconds),
    lines: headerLines(view, flags, protocol, hostnameOf(bytes)),
  };
}

function headerLines(view: DataView, flags: number, protocol: number, hostname: string): string[] {
  const times = new TimeWriter(localZone());
  return [
    `.magic: 0x${hex(LEGACY_MAGIC, 8)}`,
    `.version: 0x${hex(view.getUint32(Field.version), 8)}`,
    `.flags: 0x${hex(flags, 8)}`,
    `.proto: 0x${hex(protocol, 2)} (${protocolName(protocol)})`,
    `.hostname: ${hostname}`,
    `.start: ${times.text(microseconds(view, Field.startSeconds))}`,
    `.startd: ${localStart(view)}`,
    `.end: ${times.text(microseconds(view, Field.endSeconds))}`,
    `.tz: ${view.getInt32(Field.minutesWest)}.${view.getInt32(Field.dst)}`,
    `.utc_offset: ${view.getInt32(Field.utcOffsetSeconds)}`,
  ];
}

/**
 * `struct tm` as stored: years since 1900 and months from 0 (the ancestor printed the month as it stands
 * there).
 */
function localStart(view: DataView): string {
  const at = Field.localStart;
  const two = (value: number) => String(value).padStart(2, '0');
  const year = view.getUint16(at) + 1900;
  const [month, day, hour, minute, second] = [2, 3, 4, 5, 6].map((offset) => view.getUint8(at + offset));
  return `${year}.${two(month + 1)}.${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`;
}

function hostnameOf(bytes: Uint8Array): string {
  const field = bytes.subarray(Field.hostname, Field.hostname + HOSTNAME_BYTES);
  const end = field.indexOf(0);
  // Whatever a damaged header holds, it must not reach a terminal as control characters.
  return Buffer.from(field.subarray(0, end < 0 ? HOSTNAME_BYTES : end))
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '?');
}

function microseconds(view: DataView, at: number): number {
  return view.getUint32(at) * 1e6 + view.getUint32(at + 4);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
