/**
 * Log file names: strftime templates in local time.
 *
 * Our own table: the package `strftime` (0.10) has no %G, %g and %V, writes unknown conversions as they are,
 * and knows only Node's idea of the time zone. Names of days and months are English, as in the C locale: a
 * script that looks for yesterday's file must not depend on the recorder's locale.
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../base/errors.js';
import { shownBeforeSeconds } from '../../base/time/boundaries.js';
import { CONVERSION, conversions, format } from '../../base/time/strftime.js';
import { localZone, type Zone } from '../../base/time/zone.js';
import { filePattern, type NamePattern, namePattern } from './name-pattern.js';

/** A file beside another that keeps it: NAME.hold. */
export const HOLD_SUFFIX = '.hold';
/** What packers make of a name, and the one whose files can be read here. */
export const READABLE_PACKING = '.gz';
const PACKED_SUFFIXES = [READABLE_PACKING, '.xz', '.zst', '.bz2'] as const;

let zone: Zone | undefined;

/** The name that a template (strftime) gives at a time, local. The template has passed `checkTemplate`. */
export function fileName(template: string, timeUs: number): string {
  zone ??= localZone();
  return fileNameAt(template, timeUs, zone.offsetSecondsAt(Math.floor(timeUs / 1e6)));
}

/**
 * The same in a zone that is this far east of UTC, seconds; a %Z needs that to be the local one's at that
 * time.
 */
export function fileNameAt(template: string, timeUs: number, offsetSeconds: number): string {
  const epochSeconds = Math.floor(timeUs / 1e6);
  return format(template, {
    date: new Date((epochSeconds + offsetSeconds) * 1000),
    epochSeconds,
    offsetSeconds,
  });
}

/**
 * Whether the local clock shows this time for the second time (autumn), and that alone is why a new file may
 * find its name taken. `openedUs` is the time that named the file before: a template that gives both the same
 * name, however the clock is set, asks for no new file.
 */
export function isNameAgain(template: string, openedUs: number, timeUs: number): boolean {
  zone ??= localZone();
  const epochSeconds = Math.floor(timeUs / 1e6);
  const wentBack = shownBeforeSeconds(epochSeconds, zone);
  if (wentBack === 0) return false;
  const offsetBefore = zone.offsetSecondsAt(epochSeconds) + wentBack;
  return (
    fileName(template, timeUs) !== fileName(template, openedUs) ||
    fileNameAt(template, timeUs, offsetBefore) !== fileNameAt(template, openedUs, offsetBefore)
  );
}

/** UsageError when the template cannot name a file. */
export function checkTemplate(template: string): void {
  if (template === '') throw new UsageError('-f: the file name is empty');
  if (template.endsWith('/')) throw new UsageError(`-f ${template}: ends in a slash; add a file name`);
  if (template.includes('\0')) throw new UsageError('-f: the file name contains a NUL character');
  if (statSync(template, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`-f ${template}: is a directory; add a file name`);
  for (const [conversion, letter] of template.matchAll(CONVERSION))
    if (!Object.hasOwn(conversions, letter))
      throw new UsageError(
        `-f ${template}: ${conversion} is not a conversion that a file name can contain: use one of strftime's, as in %Y-%m-%d_%H%M, and %% for a percent sign`,
      );
}

/**
 * Where files of a template can be: its path components, those with conversions as patterns. The last one
 * also matches a name with `.1`, `.2`, ... and a live file's.
 */
export function templatePatterns(template: string): {
  directories: (string | NamePattern)[];
  file: NamePattern;
} {
  const components = template.replaceAll('%D', '%m/%d/%y').split('/');
  const last = components.pop()!;
  const directories = components.map((component) =>
    /%[^%]/.test(component.replaceAll('%%', '')) ? namePattern(component) : component.replaceAll('%%', '%'),
  );
  return { directories, file: filePattern(last) };
}

/** The name that a packed file had; any other as it is. */
export function withoutPacking(name: string): string {
  const suffix = PACKED_SUFFIXES.find((packed) => name.endsWith(packed));
  return suffix === undefined ? name : name.slice(0, -suffix.length);
}

/** The directory of a template down to its first conversion: where what belongs to all its files is kept. */
export function literalDirectory(template: string): string {
  const { directories } = templatePatterns(template);
  const first = directories.findIndex((component) => typeof component !== 'string');
  return join('/', ...(first < 0 ? directories : directories.slice(0, first)).map(String));
}
