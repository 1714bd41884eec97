/** Name and version of this program. */
import { readFileSync } from 'node:fs';
import { packageRoot } from './package-root.js';

/** As in "1.0.0". */
export function version(): string {
  const text = readFileSync(new URL('package.json', packageRoot()), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** As file headers say it. */
export function recorderName(): string {
  return `ctrecorder ${version()}`;
}
