/** A finished file as squeeze leaves it, as far as chain and ownership go: a closed file with an origin. */
import { EventBatch } from '../../src/event/batch.js';
import { decodeBlock } from '../../src/log/format/decode-rows.js';
import { BlockType, FILE_PREAMBLE_BYTES, isRecordBlock } from '../../src/log/format/format.js';
import { parseFrame } from '../../src/log/format/frame.js';
import { LogFileWriter } from '../../src/log/write/whole-file.js';
import type { Contents } from './reading.js';
import { SimClock } from './sim-clock.js';
import { type Inode, SimDisk } from './sim-disk.js';

const NOBODY = { created() {}, renaming() {}, truncating() {}, removing() {} };
const batch = new EventBatch();

export function squeezed(path: string, contents: Contents, original: Inode): Uint8Array {
  const disk = new SimDisk(new SimClock(0), NOBODY);
  const { meta, lastChain, chains } = contents;
  const firstChain = [...chains.values()][0];
  const origin = { file: path.slice(path.lastIndexOf('/') + 1), firstChain, lastChain };
  const writer = LogFileWriter.create('/squeezed', { ...meta, squeezed: true, origin }, disk.process('S'));
  const bytes = original.data.subarray(0, original.bytes);
  for (let at = FILE_PREAMBLE_BYTES; at < bytes.length; ) {
    const frame = parseFrame(bytes, at);
    if (typeof frame !== 'object') break;
    const payload = bytes.subarray(at + frame.headerBytes, at + frame.headerBytes + frame.storedBytes);
    if (isRecordBlock(frame.type)) {
      decodeBlock({ frame, payload } as Parameters<typeof decodeBlock>[0], batch);
      writer.append(batch);
    } else if (frame.type === BlockType.gap || frame.type === BlockType.checkpoint) {
      const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
      writer.appendJson(value, frame.type, frame.minTimeUs, frame.maxTimeUs);
    }
    at += frame.headerBytes + frame.storedBytes;
  }
  writer.close();
  const { data, bytes: length } = disk.inodeAt('/squeezed')!;
  return data.slice(0, length);
}
