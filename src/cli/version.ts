/** `-V`, `version`. Not a clipanion command: it has no options and must answer at once. */

import { captureSupport } from '../base/libc/load.js';
import { recorderName } from '../base/version.js';
import { FORMAT_MAJOR, FORMAT_MINOR } from '../log/format/format.js';

export function versionText(): string {
  const { available, reason } = captureSupport();
  return [
    recorderName(),
    `file format: ${FORMAT_MAJOR}.${FORMAT_MINOR} (reads ${FORMAT_MAJOR}.x and 2)`,
    `capture: ${available ? 'yes' : `no: ${reason}`}`,
    '',
  ].join('\n');
}
