/** The header lines of a format 3 file: the ancestor's names where it had one, then what it did not know. */

import { printable } from '../../base/printable.js';
import { TimeWriter } from '../../base/time/time-text.js';
import { localZone } from '../../base/time/zone.js';
import { protocolName } from '../../event/protocols.js';
import type { FileMeta } from '../format/file-meta.js';
import { FILE_MAGIC } from '../format/format.js';
import type { Preamble } from './beginning.js';

export function headerLines(preamble: Preamble, meta: Partial<FileMeta>): string[] {
  const times = new TimeWriter(localZone());
  const openedUs = meta.openedUs ?? 0;
  const lines = [
    `.magic: ${Buffer.from(FILE_MAGIC).toString('hex')}`,
    `.version: ${preamble.formatMajor}.${preamble.formatMinor}`,
    `.flags: ${meta.squeezed === true ? 'squeezed' : 'none'}`,
    `.proto: ${meta.protocols === undefined || meta.protocols === 'all' ? 'all' : meta.protocols.map(protocolName).join(',')}`,
    `.hostname: ${meta.hostname ?? ''}`,
    `.start: ${times.text(openedUs)}`,
    `.tz: ${meta.minutesWest ?? 0}.${meta.dst ?? 0}`,
    `.utc_offset: ${meta.utcOffsetSeconds ?? 0}`,
    `.time_zone: ${meta.timeZone ?? ''}`,
    `.recorder: ${meta.recorder ?? ''}`,
    `.run: ${meta.runId ?? ''}`,
    `.boot: ${meta.bootId ?? ''}`,
    `.template: ${meta.template ?? ''}`,
  ];
  const { previous, origin, identity, machineId, fileNumber, namedUs } = meta;
  if (identity !== undefined) lines.push(`.identity: ${identity}`);
  if (machineId !== undefined) lines.push(`.machine: ${machineId}`);
  if (fileNumber !== undefined) lines.push(`.number: ${fileNumber}`);
  if (namedUs !== undefined) lines.push(`.named: ${times.text(namedUs)}`);
  if (previous !== undefined)
    lines.push(`.previous: ${previous.file} at ${previous.acknowledgedBytes} ${previous.chain}`);
  if (origin !== undefined) lines.push(`.origin: ${origin.file} ${origin.firstChain} ${origin.lastChain}`);
  // A file is not believed to hold only printable text.
  return lines.map(printable);
}
