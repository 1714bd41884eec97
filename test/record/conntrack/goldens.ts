/** The kernel's messages of test/fixtures/messages (README.md there says how they were made). */

import { readdirSync, readFileSync } from 'node:fs';
import { repositoryPath } from '../../lab/repository.js';

export interface Golden {
  /** What conntrack-tools said of the event; empty where nothing is kept. */
  readonly said: string;
  readonly message: Uint8Array;
}

export interface GoldenSection {
  /** File and headline. */
  readonly name: string;
  readonly goldens: Golden[];
}

const folder = repositoryPath('test/fixtures/messages/');

export const goldenSections: readonly GoldenSection[] = readdirSync(folder)
  .filter((name) => !name.endsWith('.md'))
  .sort()
  .flatMap(read);

export const goldenMessages: readonly Uint8Array[] = goldenSections.flatMap(({ goldens }) =>
  goldens.map(({ message }) => message),
);

function read(file: string): GoldenSection[] {
  const sections: GoldenSection[] = [{ name: file, goldens: [] }];
  let said = '';
  for (const line of readFileSync(folder + file, 'utf8').split('\n')) {
    if (line.startsWith('## ')) sections.push({ name: `${file}: ${line.slice(3)}`, goldens: [] });
    else if (line.startsWith('[')) said = line;
    else if (/^[0-9a-f]+$/.test(line)) {
      sections.at(-1)!.goldens.push({ said, message: Uint8Array.from(Buffer.from(line, 'hex')) });
      said = '';
    }
  }
  return sections.filter(({ goldens }) => goldens.length > 0);
}
