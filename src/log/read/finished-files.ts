/**
 * The finished files of one recorder, for its retention, in the order of their chain. Writer thread; looks in
 * small steps, and reads a header once, not at every look.
 */
import type { FileFacts, ReadDisk } from '../../base/disk/disk.js';
import { SystemFailure } from '../../base/errors.js';
import type { FileEnd } from '../format/file-meta.js';
import { LIVE_SUFFIX } from '../format/format.js';
import { READABLE_PACKING, withoutPacking } from '../format/names.js';
import { type CataloguedFile, endToContinue, lookAt, type OwnFile, ownFiles } from './catalogue.js';
import { namesByDirectory } from './own-files.js';
import type { Recorder } from './ownership.js';
import { packedEndAt, packedHeaderAt } from './packed.js';

interface Known {
  readonly file: CataloguedFile;
  /** Of a packed file, once it was unpacked: null when it has none. */
  end?: FileEnd | null;
}

export class FinishedFiles {
  #known = new Map<string, Known>();
  /** Files of the template's names whose packing cannot be read here, as of the last look. */
  uncounted = 0;

  constructor(readonly disk: ReadDisk) {}

  /** Look at all files, one more each time; answers those that are this recorder's, oldest first. */
  *look(recorder: Recorder): Generator<void, OwnFile[], void> {
    const known = new Map<string, Known>();
    let uncounted = 0;
    for (const paths of namesByDirectory(this.disk, recorder.template, true)) {
      for (const path of paths) {
        if (path.endsWith(LIVE_SUFFIX)) continue;
        if (isUnreadable(path)) uncounted++;
        else {
          const found = this.#lookAt(path);
          if (found !== undefined) known.set(path, found);
        }
        yield;
      }
      yield;
    }
    this.#known = known;
    this.uncounted = uncounted;
    return ownFiles(
      [...known.values()].map(({ file }) => file),
      recorder,
    );
  }

  /** Undefined of a file that is damaged or not finished, and of a packed one that was not unpacked yet. */
  endOf(file: OwnFile): FileEnd | undefined {
    const known = this.#known.get(file.path);
    return isPacked(file.path) ? (known?.end ?? undefined) : endToContinue(this.disk, file);
  }

  /** Unpack it, where its end is not known yet; undefined when nothing is to be waited for. */
  learnEnd(file: OwnFile): Promise<void> | undefined {
    const known = this.#known.get(file.path);
    if (!isPacked(file.path) || known === undefined || known.end !== undefined) return undefined;
    return packedEndAt(this.disk, file.path).then((end) => {
      known.end = end === undefined ? null : withLastChain(end, file);
    });
  }

  #lookAt(path: string): Known | undefined {
    const before = this.#known.get(path);
    if (before !== undefined && isUnchanged(this.disk.stat(path), before.file.facts)) return before;
    const file = isPacked(path) ? lookAtPacked(this.disk, path) : lookAt(this.disk, path);
    return file && { file };
  }
}

export function isPacked(path: string): boolean {
  return path.endsWith(READABLE_PACKING);
}

function isUnreadable(path: string): boolean {
  return withoutPacking(path) !== path && !isPacked(path);
}

function isUnchanged(now: FileFacts | undefined, before: FileFacts): boolean {
  return (
    now?.inode === before.inode &&
    now.device === before.device &&
    now.bytes === before.bytes &&
    now.modifiedMs === before.modifiedMs
  );
}

function lookAtPacked(disk: ReadDisk, path: string): CataloguedFile | undefined {
  try {
    const facts = disk.stat(path);
    if (facts === undefined || facts.kind !== 'file') return undefined;
    return { path, isLive: false, facts, meta: packedHeaderAt(disk, path) };
  } catch (error) {
    if (!(error instanceof SystemFailure)) throw error;
    return undefined;
  }
}

/** A squeezed file stands for the one whose last hash it tells. */
function withLastChain(end: FileEnd, { meta }: OwnFile): FileEnd {
  const chain = meta.origin?.lastChain ?? end.lastFile.chain;
  return { ...end, lastFile: { ...end.lastFile, chain } };
}
