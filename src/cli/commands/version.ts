/** `-V`, `version`. It has no options and is not run by clipanion: it must answer at once. */
import { captureSupport } from '../../base/libc/load.js';
import { recorderName } from '../../base/version.js';
import { FORMAT_MAJOR, FORMAT_MINOR } from '../../log/format/format.js';
import { command } from '../args/declaration.js';

export const version = command({
  letter: 'V',
  word: 'version',
  summary: 'print the version, the file format and whether this machine can capture',
  options: {},
  examples: [],
});

export function versionText(): string {
  const { available, reason } = captureSupport();
  return [
    recorderName(),
    `file format: ${FORMAT_MAJOR}.${FORMAT_MINOR} (reads ${FORMAT_MAJOR}.x and 2)`,
    `capture: ${available ? 'yes' : `no: ${reason}`}`,
    '',
  ].join('\n');
}
