/** `-V`, `version`. Not a clipanion command: it has no options and must answer at once. */
import { FORMAT_MAJOR, FORMAT_MINOR } from '../log/format.js';
import { captureSupport } from '../netlink/load-libc.js';
import { recorderName } from '../record/version.js';

export function versionText(): string {
  const { available, reason } = captureSupport();
  return [
    recorderName(),
    `file format: ${FORMAT_MAJOR}.${FORMAT_MINOR} (reads ${FORMAT_MAJOR}.x and 2)`,
    `capture: ${available ? 'yes' : `no: ${reason}`}`,
    '',
  ].join('\n');
}
