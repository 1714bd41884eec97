/** A finished file as squeeze leaves it, as far as chain and ownership go: a closed file with an origin. */
import { FILE_PREAMBLE_BYTES, isDataBlock } from '../../src/log/format/format.js';
import { parseFrame } from '../../src/log/format/frame.js';
import { Segment } from '../../src/log/write/segment.js';
import type { Inode } from './inode.js';
import type { Contents } from './reading.js';
import { SimClock } from './sim-clock.js';
import { SimDisk } from './sim-disk.js';
import { SimProcess } from './sim-process.js';

const NOBODY = { created() {}, renaming() {}, truncating() {}, removing() {} };
const NO_FILTER = new Uint8Array(0);

export function squeezed(path: string, contents: Contents, original: Inode): Uint8Array {
  const disk = new SimDisk(new SimClock(0), NOBODY);
  const fs = new SimProcess(disk, 'S');
  const { meta, lastChain, chains } = contents;
  const firstChain = [...chains.values()][0];
  const origin = { file: path.slice(path.lastIndexOf('/') + 1), firstChain, lastChain };
  const segment = Segment.begin(fs, fs.create('/squeezed'), { ...meta, squeezed: true, origin });
  const bytes = original.data.subarray(0, original.bytes);
  for (let at = FILE_PREAMBLE_BYTES; at < bytes.length; ) {
    const frame = parseFrame(bytes, at);
    if (typeof frame !== 'object') break;
    const end = at + frame.headerBytes + frame.storedBytes;
    if (isDataBlock(frame.type)) segment.appendFrame(bytes.slice(at, end), 0, NO_FILTER);
    at = end;
  }
  segment.commit();
  segment.writeClosing(segment.planClosing('complete'));
  const { data, bytes: length } = disk.inodeAt('/squeezed')!;
  return data.slice(0, length);
}
