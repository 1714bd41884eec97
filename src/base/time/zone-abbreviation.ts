/**
 * The letters of %Z (CET, CEST, +03) as `date` prints them. Node does not know them, so they come from where
 * the C library has them: the TZ string itself, or the machine's zone files (RFC 8536).
 */
import { readFileSync } from 'node:fs';
import { parsePosixZone, posixOffsetSeconds } from './posix-zone.js';

const ZONE_FILES = '/usr/share/zoneinfo/';
const UTC_NAMES = /^(Etc\/)?(UTC|UCT|Zulu|Universal)?$/;
const HEADER_BYTES = 44;
const LOCAL_TYPE_BYTES = 6;

let zoneFile: { name: string; bytes: Buffer } | undefined;

/** Undefined where nobody knows: no zone files, or none that fits the offset. */
export function zoneAbbreviation(epochSeconds: number, offsetSeconds: number): string | undefined {
  const name = process.env.TZ?.replace(/^:/, '').replace(/^.*\/zoneinfo\//, '');
  if (name !== undefined && UTC_NAMES.test(name)) return 'UTC';
  const path = name === undefined ? '/etc/localtime' : ZONE_FILES + name;
  try {
    if (zoneFile?.name !== path) zoneFile = { name: path, bytes: readFileSync(path) };
    return fromZoneFile(zoneFile.bytes, epochSeconds, offsetSeconds);
  } catch {
    return name === undefined ? undefined : fromPosix(name, epochSeconds);
  }
}

function fromPosix(text: string, epochSeconds: number): string | undefined {
  const zone = parsePosixZone(text);
  const names = text.match(/<[^>]+>|[A-Za-z]{3,}/g);
  if (zone === undefined || names === null) return undefined;
  const isStandard = posixOffsetSeconds(zone, epochSeconds) === zone.standardSeconds;
  return names[isStandard ? 0 : 1]?.replace(/[<>]/g, '');
}

/**
 * RFC 8536 section 3: a block with 32-bit times, then one with 64-bit times, then a POSIX string for what
 * comes after.
 */
function fromZoneFile(bytes: Buffer, epochSeconds: number, offsetSeconds: number): string | undefined {
  const first = counts(bytes, 0);
  const at =
    HEADER_BYTES +
    first.times * 5 +
    first.types * 6 +
    first.letters +
    first.leaps * 8 +
    first.standards +
    first.locals;
  const { times, types, letters, leaps, standards, locals } = counts(bytes, at);
  const timesAt = at + HEADER_BYTES;
  const typesAt = timesAt + times * 9;
  const lettersAt = typesAt + types * LOCAL_TYPE_BYTES;
  const footerAt = lettersAt + letters + leaps * 12 + standards + locals;
  let after = 0;
  while (after < times && Number(bytes.readBigInt64BE(timesAt + after * 8)) <= epochSeconds) after++;
  const footer = bytes.toString('latin1', footerAt).trim();
  if (after === times && footer !== '') return fromPosix(footer, epochSeconds);
  const type = typesAt + (after === 0 ? 0 : bytes[timesAt + times * 8 + after - 1]) * LOCAL_TYPE_BYTES;
  if (bytes.readInt32BE(type) !== offsetSeconds) return undefined;
  const from = lettersAt + bytes[type + 5];
  return bytes.toString('latin1', from, bytes.indexOf(0, from));
}

function counts(bytes: Buffer, at: number) {
  const [locals, standards, leaps, times, types, letters] = [20, 24, 28, 32, 36, 40].map((field) =>
    bytes.readUInt32BE(at + field),
  );
  return { locals, standards, leaps, times, types, letters };
}
