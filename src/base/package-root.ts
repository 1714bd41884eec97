/** Where this program is installed. */
import { existsSync } from 'node:fs';

let found: URL | undefined;

/**
 * The folder that holds package.json, with a slash at its end. Looked for upwards, since the bundles that the
 * build makes lie at other depths than the sources of this file.
 */
export function packageRoot(): URL {
  if (found !== undefined) return found;
  let folder = new URL('./', import.meta.url);
  while (!existsSync(new URL('package.json', folder))) {
    const parent = new URL('../', folder);
    if (parent.href === folder.href)
      throw new Error("ctrecorder's package.json is missing: reinstall ctrecorder");
    folder = parent;
  }
  found = folder;
  return folder;
}

/** A compiled file of the program, as in "workers/parser.js". */
export function compiledFile(path: string): URL {
  return new URL(`dist/${path}`, packageRoot());
}
