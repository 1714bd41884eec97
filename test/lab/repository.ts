/** Files of the repository, wherever the compiled test that asks lies. */
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../src/base/package-root.js';

/** Absolute path, as of "test/fixtures/log". */
export function repositoryPath(path: string): string {
  return fileURLToPath(new URL(path, packageRoot()));
}
