/** The facts that every file of a run says about itself. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { localZone } from '../../base/time/zone.js';
import type { FileMeta, PreviousFile } from '../../log/format/file-meta.js';
import type { WriterOptions } from './writer-task.js';

export function fileMeta(
  options: WriterOptions,
  openedUs: number,
  previous: PreviousFile | undefined,
): FileMeta {
  const { recorder, runId, protocols, template } = options;
  const zone = localZone();
  const utcOffsetSeconds = zone.offsetSecondsAt(Math.floor(openedUs / 1e6));
  // Standard time is the smaller of winter's and summer's, on either half of the globe.
  const year = new Date(openedUs / 1000).getUTCFullYear();
  const offsets = [0, 6].map((month) => zone.offsetSecondsAt(Date.UTC(year, month) / 1000));
  const standardSeconds = Math.min(...offsets);
  return {
    recorder,
    hostname: hostname(),
    bootId: bootId(),
    runId: runId.toString(16).padStart(16, '0'),
    openedUs,
    timeZone: process.env.TZ ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    minutesWest: 0 - Math.round(standardSeconds / 60),
    dst: utcOffsetSeconds > standardSeconds ? 1 : 0,
    utcOffsetSeconds,
    protocols,
    template,
    squeezed: false,
    ...(previous !== undefined && { previous }),
  };
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}
