/**
 * The program as `npm ci --omit=dev --omit=optional` leaves it, so without koffi, in a folder of its own that
 * anybody may read.
 */

import { chmodSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryPath } from '../../lab/repository.js';

interface Lock {
  readonly packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>;
}

const root = repositoryPath('.');

/** Copies it into `directory`; answers the path of its entry. */
export function installWithoutOptional(directory: string): string {
  chmodSync(directory, 0o755);
  for (const part of ['package.json', 'dist/src', 'dist/workers', ...neededPackages()])
    cpSync(join(root, part), join(directory, part), { recursive: true });
  return join(directory, 'dist/src/cli/main.js');
}

/** Folders of the packages that it cannot do without; what is nested in them comes along. */
function neededPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  return Object.entries(packages)
    .filter(([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional)
    .map(([path]) => path)
    .filter((path) => path.lastIndexOf('node_modules/') === 0);
}
