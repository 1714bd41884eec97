/**
 * Where results are kept: bench/results, as `local-NAME` (ignored by git) unless they are made to be
 * committed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Machine } from './machine.js';

const FOLDER = fileURLToPath(new URL('../../../bench/results/', import.meta.url));

/** Every result file has these. */
export interface Results {
  readonly machine: Machine;
}

export class ResultFolder {
  /** `keep`: for a commit, without the prefix. */
  constructor(
    readonly keep: boolean,
    readonly folder = FOLDER,
  ) {}

  /** Path of a result file. */
  pathOf(name: string): string {
    return path.join(this.folder, this.keep ? name : `local-${name}`);
  }

  /** Answers the path, for the reader of the terminal. */
  writeJson(name: string, results: Results): string {
    return this.#write(name, `${JSON.stringify(results, null, 2)}\n`);
  }

  writeSvg(name: string, svg: string): string {
    return this.#write(name, svg);
  }

  /** @throws Error, one line that says how to make it, when there is none. */
  readJson<T extends Results>(name: string, howToMake: string): T {
    const file = this.pathOf(name);
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as T;
    } catch (error) {
      throw new Error(`${file}: no results to read (${(error as Error).message}); ${howToMake}`);
    }
  }

  #write(name: string, text: string): string {
    mkdirSync(this.folder, { recursive: true });
    const file = this.pathOf(name);
    writeFileSync(file, text);
    return path.relative(process.cwd(), file);
  }
}
