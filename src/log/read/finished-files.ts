/**
 * The finished files of one recorder, for its retention, in the order of their chain. Writer thread; looks in
 * small steps, and reads a header once, not at every look.
 */
import type { ReadDisk } from '../../base/disk/disk.js';
import { LIVE_SUFFIX } from '../format/format.js';
import { type CataloguedFile, lookAt, type OwnFile, ownFiles } from './catalogue.js';
import { namesByDirectory } from './own-files.js';
import type { Recorder } from './ownership.js';

export class FinishedFiles {
  #known = new Map<string, CataloguedFile>();

  constructor(readonly disk: ReadDisk) {}

  /** Look at all files, one more each time; answers those that are this recorder's, oldest first. */
  *look(recorder: Recorder): Generator<void, OwnFile[], void> {
    const known = new Map<string, CataloguedFile>();
    for (const paths of namesByDirectory(this.disk, recorder.template)) {
      for (const path of paths) {
        if (path.endsWith(LIVE_SUFFIX)) continue;
        const found = this.#lookAt(path);
        if (found !== undefined) known.set(path, found);
        yield;
      }
      yield;
    }
    this.#known = known;
    return ownFiles(known.values(), recorder);
  }

  #lookAt(path: string): CataloguedFile | undefined {
    const before = this.#known.get(path);
    if (before === undefined) return lookAt(this.disk, path);
    const facts = this.disk.stat(path);
    const isSame =
      facts?.inode === before.facts.inode &&
      facts.device === before.facts.device &&
      facts.bytes === before.facts.bytes &&
      facts.modifiedMs === before.facts.modifiedMs;
    return isSame ? before : lookAt(this.disk, path);
  }
}
