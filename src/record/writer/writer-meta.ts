/** The facts that every file of a run says about itself. */
import { localZone } from '../../base/time/zone.js';
import type { FileMeta, PreviousFile } from '../../log/format/file-meta.js';
import type { Recorder } from '../../log/read/ownership.js';
import type { WriterOptions } from './writer-task.js';

/** Of one file, its times in microseconds since the epoch. */
export interface FilePlace {
  readonly openedUs: number;
  readonly namedUs: number;
  readonly fileNumber: number;
  readonly previous: PreviousFile | undefined;
}

export function fileMeta(
  options: WriterOptions,
  { identity }: Recorder,
  { openedUs, namedUs, fileNumber, previous }: FilePlace,
): FileMeta {
  const { recorder, runId, protocols, template, host } = options;
  const zone = localZone();
  const utcOffsetSeconds = zone.offsetSecondsAt(Math.floor(openedUs / 1e6));
  // Standard time is the smaller of winter's and summer's, on either half of the globe.
  const year = new Date(openedUs / 1000).getUTCFullYear();
  const offsets = [0, 6].map((month) => zone.offsetSecondsAt(Date.UTC(year, month) / 1000));
  const standardSeconds = Math.min(...offsets);
  return {
    recorder,
    hostname: host.hostname,
    bootId: host.bootId,
    runId: runId.toString(16).padStart(16, '0'),
    openedUs,
    timeZone: process.env.TZ ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    minutesWest: 0 - Math.round(standardSeconds / 60),
    dst: utcOffsetSeconds > standardSeconds ? 1 : 0,
    utcOffsetSeconds,
    protocols,
    template,
    squeezed: false,
    identity,
    ...(host.machineId !== undefined && { machineId: host.machineId }),
    fileNumber,
    namedUs,
    ...(previous !== undefined && { previous }),
  };
}
