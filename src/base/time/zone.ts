/**
 * Local times as the ancestor printed them, `2026.11.23 04:50:43.727654`, written as bytes: about every line
 * needs one or two.
 */
import { UsageError } from '../errors.js';
import { parsePosixZone, posixOffsetSeconds } from './posix-zone.js';

export interface Zone {
  /** Seconds east of UTC at a time in seconds since the epoch. */
  offsetSecondsAt(epochSeconds: number): number;
}

export const utcZone: Zone = { offsetSecondsAt: () => 0 };

/** The zone of the machine, as Node sees it. */
const nodeZone: Zone = {
  offsetSecondsAt(epochSeconds) {
    const date = new Date(epochSeconds * 1000);
    const local = new Date(0);
    local.setUTCFullYear(date.getFullYear(), date.getMonth(), date.getDate());
    local.setUTCHours(date.getHours(), date.getMinutes(), date.getSeconds());
    return local.getTime() / 1000 - epochSeconds;
  },
};

/**
 * The zone that TZ names, read as the C library does: unset or `:/etc/localtime` is the machine's, empty is
 * UTC, a leading colon or the path of the zone files is allowed, then a zone name, then a POSIX string. Sets
 * `process.env.TZ` to the plain name when it was written in another way, so that Node follows. UsageError
 * when it is neither (Node and the C library would silently take UTC).
 */
export function localZone(tz: string | undefined = process.env.TZ): Zone {
  if (tz === undefined) return nodeZone;
  const name = tz.replace(/^:/, '').replace(/^.*\/zoneinfo\//, '');
  if (name === '' || UTC_NAMES.test(name)) return utcZone;
  if (name === '/etc/localtime') {
    delete process.env.TZ;
    return nodeZone;
  }
  const posix = ZONES_WITH_DIGITS.test(name) ? undefined : parsePosixZone(name);
  if (posix !== undefined)
    return { offsetSecondsAt: (epochSeconds) => posixOffsetSeconds(posix, epochSeconds) };
  if (/^[A-Za-z]/.test(name)) {
    const before = process.env.TZ;
    if (before !== name) process.env.TZ = name;
    if (hasOffset() || isZoneName(name)) return nodeZone;
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
  throw new UsageError(`TZ=${tz} is not a known time zone: use a name like Europe/Warsaw, or UTC`);
}

const UTC_NAMES = /^(Etc\/)?(UTC|UCT|GMT|Zulu|Universal)$/;
/** Zone names that could be POSIX strings too; the C library finds their files first. */
const ZONES_WITH_DIGITS = /^(EST5EDT|CST6CDT|MST7MDT|PST8PDT)$/;

/** A zone that Node did not understand is UTC to it. */
function hasOffset(): boolean {
  return new Date(2024, 0, 1).getTimezoneOffset() !== 0 || new Date(2024, 6, 1).getTimezoneOffset() !== 0;
}

/** Costs 30 ms (all of ICU's formatting is loaded): only for zones without an offset, like Africa/Abidjan. */
function isZoneName(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
