/** Name and version of this program, from package.json: three folders up, from here and from the bundles (dist/src/x/x.js) alike. */
import { readFileSync } from 'node:fs';

/** As in "1.0.0". */
export function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** As file headers say it. */
export function recorderName(): string {
  return `ctrecorder ${version()}`;
}
