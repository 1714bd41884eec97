/** The header lines of a format 3 file: the ancestor's names where it had one, then what it did not know. */

import { protocolName } from '../conntrack/protocols.js';
import { localZone, TimeWriter } from '../query/time.js';
import type { Preamble } from './beginning.js';
import type { FileMeta } from './file-meta.js';
import { FILE_MAGIC } from './format.js';

export function headerLines(preamble: Preamble, meta: Partial<FileMeta>): string[] {
  const times = new TimeWriter(localZone());
  const openedUs = meta.openedUs ?? 0;
  const lines = [
    `.magic: ${Buffer.from(FILE_MAGIC).toString('hex')}`,
    `.version: ${preamble.formatMajor}.${preamble.formatMinor}`,
    `.flags: ${meta.squeezed === true ? 'squeezed' : 'none'}`,
    `.proto: ${meta.protocols === undefined || meta.protocols === 'all' ? 'all' : meta.protocols.map(protocolName).join(',')}`,
    `.hostname: ${printable(meta.hostname)}`,
    `.start: ${times.text(openedUs)}`,
    `.tz: ${meta.minutesWest ?? 0}.${meta.dst ?? 0}`,
    `.utc_offset: ${meta.utcOffsetSeconds ?? 0}`,
    `.time_zone: ${printable(meta.timeZone)}`,
    `.recorder: ${printable(meta.recorder)}`,
    `.run: ${printable(meta.runId)}`,
    `.boot: ${printable(meta.bootId)}`,
    `.template: ${printable(meta.template)}`,
  ];
  const { previous, origin } = meta;
  if (previous !== undefined)
    lines.push(
      `.previous: ${printable(previous.file)} at ${previous.acknowledgedBytes} ${printable(previous.chain)}`,
    );
  if (origin !== undefined)
    lines.push(
      `.origin: ${printable(origin.file)} ${printable(origin.firstChain)} ${printable(origin.lastChain)}`,
    );
  return lines;
}

/** A file is not believed to hold only printable text: nothing of it may steer a terminal. */
export function printable(text: unknown): string {
  return String(text ?? '').replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?');
}
