/**
 * Recovery of a large file that a killed recorder left behind: writes one, closes it as the next start does,
 * prints how long that took. Memory must not depend on the size.
 *
 * `node dist/bench/recovery.js [--mib 1024] [--events 16384]`: size of the file, events in a block (few: a
 * quiet gateway with a block a second)
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LogFileSystem } from '../src/base/disk/disk.js';
import { realFileSystem } from '../src/base/disk/file-system.js';
import { systemClock } from '../src/base/libc/clock.js';
import { AF_INET, EventBatch } from '../src/event/batch.js';
import { writeAddressFilter } from '../src/log/format/address-filter.js';
import { UNNUMBERED, writeRecordBlock } from '../src/log/format/block.js';
import { BLOCK_HEADER_BYTES, BlockType } from '../src/log/format/format.js';
import { numberFrame } from '../src/log/format/frame.js';
import { createStats } from '../src/record/stage/counters.js';
import { identityOptions } from '../src/record/writer/identity.js';
import { findEarlier } from '../src/record/writer/recover.js';
import { LogWriter } from '../src/record/writer/writer.js';
import { WriterStat } from '../src/record/writer/writer-stats.js';
import type { WriterEvent } from '../src/record/writer/writer-task.js';
import { makeFolder } from '../test/lab/folder.js';
import { generateTrace } from './generate/trace.js';

/** Different blocks, repeated until the file is large enough. */
const DIFFERENT_BLOCKS = 8;
const GROUP_BYTES = 8 * 1024 * 1024;
const RUN_ID = 1n;

const { values: flags } = parseArgs({
  options: { mib: { type: 'string', default: '1024' }, events: { type: 'string', default: '16384' } },
});
const wantedBytes = Number(flags.mib) * 2 ** 20;
const rows = Number(flags.events);

interface Block {
  readonly bytes: Uint8Array;
  readonly filter: Uint8Array;
}

const folder = makeFolder('recovery');
const template = join(folder, 'log');
const OPTIONS = {
  template,
  protocols: 'all',
  runId: RUN_ID,
  recorder: 'bench',
  host: { hostname: 'bench', bootId: '' },
  live: false,
} as const;
writeLiveFile(blocksOfTrace());
const { size } = statSync(`${template}.part`);
const startMs = performance.now();
const startCpu = process.cpuUsage();
const emit = (event: WriterEvent) => {
  if (event.type === 'log') console.log(event.message);
};
await findEarlier(identityOptions(template, OPTIONS), realFileSystem, emit, systemClock);
const seconds = (performance.now() - startMs) / 1000;
const { user, system } = process.cpuUsage(startCpu);
console.log(
  `${(size / 2 ** 20).toFixed(0)} MiB in blocks of ${rows} events: recovered in ${seconds.toFixed(2)} s ` +
    `(CPU ${((user + system) / 1e6).toFixed(2)} s), peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
);

function blocksOfTrace(): Block[] {
  const blocks: Block[] = [];
  const batch = new EventBatch(rows);
  generateTrace({ events: rows * DIFFERENT_BLOCKS }, (event) => {
    const row = batch.count++;
    batch.kind[row] = event.kind;
    batch.timeUs[row] = event.timeUs;
    batch.family[row] = AF_INET;
    batch.proto[row] = event.proto;
    batch.status[row] = event.status;
    batch.tcpState[row] = event.tcpState;
    batch.origSrc[row] = batch.addresses4.intern(event.origSrc);
    batch.origDst[row] = batch.replySrc[row] = batch.addresses4.intern(event.origDst);
    batch.replyDst[row] = batch.addresses4.intern(event.replyDst);
    batch.origSrcPort[row] = event.origSrcPort;
    batch.origDstPort[row] = batch.replySrcPort[row] = event.origDstPort;
    batch.replyDstPort[row] = event.replyDstPort;
    if (batch.count < rows) return;
    blocks.push(encoded(batch));
    batch.clear();
  });
  return blocks;
}

function encoded(batch: EventBatch): Block {
  const bytes = new Uint8Array(BLOCK_HEADER_BYTES + 64 * 1024 + rows * 256);
  const identity = { runId: RUN_ID, sequence: UNNUMBERED };
  const length = writeRecordBlock(batch, BlockType.events, identity, bytes, 0, 'fast');
  const filterBytes = writeAddressFilter(batch, bytes, length);
  return { bytes, filter: bytes.subarray(length, length + filterBytes) };
}

/** As a killed recorder leaves it: not closed, not locked. */
function writeLiveFile(blocks: readonly Block[]): void {
  const fs: LogFileSystem = { ...realFileSystem, lock: () => true };
  const stats = createStats();
  const writer = new LogWriter(OPTIONS, stats, () => {}, fs);
  writer.open(Date.now() * 1000);
  while (stats[WriterStat.bytesWritten] < wantedBytes) {
    const groupEnds = statSync(writer.path).size + GROUP_BYTES;
    for (let i = 0; i % blocks.length > 0 || statSync(writer.path).size < groupEnds; i++) {
      const { bytes, filter } = blocks[i % blocks.length];
      numberFrame(bytes, 0, UNNUMBERED);
      writer.append(bytes, 0, filter);
    }
    writer.commit();
  }
}
