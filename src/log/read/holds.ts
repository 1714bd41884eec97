/**
 * Which files are under legal hold: by a bare name, by a path whichever way it leads there, and by a marker
 * beside the file. Holds bind retention, and every command that would replace a file.
 */
import { basename, dirname, join, resolve } from 'node:path';
import type { FileFacts, ReadDisk } from '../../base/disk/disk.js';
import { SystemFailure } from '../../base/errors.js';
import { LIVE_SUFFIX } from '../format/format.js';
import { HOLD_SUFFIX, READABLE_PACKING, withoutPacking } from '../format/names.js';

/** Keeps beside the logs what a recorder was told at its last start (src/record/writer/identity.ts). */
export const IDENTITY_FILE = '.ctrecorder.json';
const IDENTITY_FILE_BYTES_MAX = 1024 * 1024;

interface Held {
  readonly given: string;
  /** A bare name holds every file of that name. */
  readonly name?: string;
  readonly path?: string;
  /** Where the path leads now: names and inodes. */
  readonly places: Set<string>;
}

export class Holds {
  readonly #held: readonly Held[];

  constructor(
    readonly disk: ReadDisk,
    holds: readonly string[],
  ) {
    this.#held = holds.map((given) => {
      const name = finalName(given);
      const places = new Set<string>();
      return name.includes('/') ? { given, path: resolve(name), places } : { given, name, places };
    });
  }

  /** Links may lead elsewhere by now, and files be there that were not. */
  refresh(): void {
    for (const { path, places } of this.#held) {
      if (path === undefined) continue;
      places.clear();
      places.add(path);
      for (const at of [path, path + LIVE_SUFFIX, path + READABLE_PACKING])
        for (const place of this.#placesOf(at)) places.add(place);
    }
  }

  isHeld(path: string, facts: FileFacts): boolean {
    return this.#holdOf(path, facts) !== undefined || this.#isMarked(path);
  }

  /** Holds that fit none of these files nor the live one, as they were given. */
  unmatched(
    files: Iterable<{ readonly path: string; readonly facts: FileFacts }>,
    livePath: string,
  ): string[] {
    const matched = new Set<Held>();
    const liveFacts = livePath === '' ? undefined : this.#facts(livePath);
    const live = liveFacts === undefined ? [] : [{ path: livePath, facts: liveFacts }];
    for (const { path, facts } of [...files, ...live])
      for (const held of this.#held) if (this.#fits(held, path, facts)) matched.add(held);
    return this.#held.filter((held) => !matched.has(held)).map(({ given }) => given);
  }

  #holdOf(path: string, facts: FileFacts): Held | undefined {
    return this.#held.find((held) => this.#fits(held, path, facts));
  }

  #fits(held: Held, path: string, facts: FileFacts): boolean {
    const names = namesOf(path);
    if (held.name !== undefined) return names.some((name) => basename(name) === held.name);
    const real = this.#realPath(dirname(path));
    const places = [
      inodeKey(facts),
      ...names,
      ...(real === undefined ? [] : names.map((name) => join(real, basename(name)))),
    ];
    return places.some((place) => held.places.has(place));
  }

  /** NAME.hold, also beside what NAME is packed from. */
  #isMarked(path: string): boolean {
    const real = this.#realPath(path);
    const names = [...namesOf(path), ...(real === undefined ? [] : namesOf(real))];
    return names.some((name) => this.#facts(name + HOLD_SUFFIX) !== undefined);
  }

  /** Through the links in its directory, and, when it is there, as the inode that it leads to. */
  #placesOf(path: string): string[] {
    const directory = this.#realPath(dirname(path));
    const target = this.#realPath(path);
    const facts = target === undefined ? undefined : this.#facts(target);
    return [
      ...(directory === undefined ? [] : [finalName(join(directory, basename(path)))]),
      ...(facts === undefined ? [] : [inodeKey(facts)]),
    ];
  }

  #facts(path: string): FileFacts | undefined {
    return this.#ask(() => this.disk.stat(path));
  }

  #realPath(path: string): string | undefined {
    return this.#ask(() => this.disk.realPath(path));
  }

  /** What cannot be asked leads nowhere: the text of the path still holds. */
  #ask<T>(question: () => T): T | undefined {
    try {
      return question();
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      return undefined;
    }
  }
}

/** The file's own, and that of the file that was packed into it. */
function namesOf(path: string): string[] {
  const name = finalName(path);
  return [...new Set([name, withoutPacking(name)])];
}

function finalName(path: string): string {
  return path.endsWith(LIVE_SUFFIX) ? path.slice(0, -LIVE_SUFFIX.length) : path;
}

function inodeKey({ device, inode }: FileFacts): string {
  return `${device}:${inode}`;
}

/** What the recorders of this file's directory, or of one above it, were told to hold at their last start. */
export function holdsAbove(disk: ReadDisk, path: string): string[] {
  const holds: string[] = [];
  for (let at = dirname(path), above = ''; at !== above; at = dirname(at)) {
    holds.push(...holdsIn(textOf(disk, join(at, IDENTITY_FILE))));
    above = at;
  }
  return holds;
}

/** A file that is damaged holds nothing: it is only a memory of what the recorder was told. */
function holdsIn(text: string): string[] {
  try {
    const { recorders } = JSON.parse(text) as { recorders: { holds: unknown[] }[] };
    return recorders.flatMap(({ holds }) => holds.filter((hold) => typeof hold === 'string'));
  } catch {
    return [];
  }
}

function textOf(disk: ReadDisk, path: string): string {
  try {
    const file = disk.openToRead(path);
    try {
      const bytes = new Uint8Array(Math.min(disk.factsOf(file).bytes, IDENTITY_FILE_BYTES_MAX));
      return Buffer.from(bytes.subarray(0, disk.read(file, bytes, 0, bytes.length, 0))).toString('utf8');
    } finally {
      disk.close(file);
    }
  } catch (error) {
    if (!(error instanceof SystemFailure)) throw error;
    return '';
  }
}
