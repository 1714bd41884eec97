/**
 * What the table keeper costs: reading the log back, and what a snapshot adds to a file. On the synthetic
 * trace (bench/generate).
 *
 * `node dist/bench/table.js [--events 5000000] [--rate 5000] [--json]`
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { AF_INET, Column, EventBatch, RecordKind, TimeSource } from '../src/event/batch.js';
import { UNNUMBERED, writeRecordBlock } from '../src/log/format/block.js';
import { BlockType } from '../src/log/format/format.js';
import { RingConsumer } from '../src/record/ring/consumer.js';
import { createRing } from '../src/record/ring/layout.js';
import { RingProducer } from '../src/record/ring/producer.js';
import { BLOCK_SLOT_BYTES } from '../src/record/stage/blocks.js';
import { createStats } from '../src/record/stage/counters.js';
import { TableKeeper } from '../src/record/table/keeper.js';
import { TableRows } from '../src/record/table/rows.js';
import { LogWriter } from '../src/record/writer/writer.js';
import { WriterStat } from '../src/record/writer/writer-stats.js';
import { makeFolder } from '../test/lab/folder.js';
import { generateTrace, type TraceEvent, traceDefaults } from './generate/trace.js';

const { values: flags } = parseArgs({
  options: {
    events: { type: 'string', default: '5000000' },
    rate: { type: 'string', default: String(traceDefaults.rate) },
    json: { type: 'boolean', default: false },
  },
});
const events = Number(flags.events);
const rate = Number(flags.rate);

/** As the parser closes them. */
const BLOCK_EVENTS = 16384;
const RUN_ID = 1n;
const SNAPSHOT_SLOTS = 64;
const NO_FILTER = new Uint8Array(0);

const folder = makeFolder('bench');

const ring = createRing({ slots: SNAPSHOT_SLOTS, slotBytes: BLOCK_SLOT_BYTES, extraBytes: 0 });
let entries = 0;
const keeper = new TableKeeper(
  {
    protocols: 'all',
    mark: () => Promise.reject(new Error('bench: there is no kernel')),
    onSnapshot: (count) => {
      entries = count;
    },
  },
  new TableRows(new RingProducer(ring), ring.control, RUN_ID),
);
const stats = createStats();
const options = {
  template: path.join(folder, '%s'),
  protocols: 'all',
  runId: RUN_ID,
  recorder: 'bench',
  host: { hostname: 'bench', bootId: '' },
  live: true,
};
const writer = new LogWriter({ ...options, protocols: 'all' }, stats, (event) => {
  if (event.type !== 'opened') return;
  const { file, openedUs, afterSequence } = event;
  keeper.addFile({ path: file, openedUs, afterSequence });
});
writer.open(traceDefaults.beginUs);

const batch = new EventBatch(BLOCK_EVENTS);
const bytes = new Uint8Array(BLOCK_SLOT_BYTES);
// The trace begins with a full table, whose starts are not in it: they go in front.
let lastUs = 0;
generateTrace({ events, rate }, (event) => {
  lastUs = event.timeUs;
  if (event.kind === RecordKind.end && event.startUs < traceDefaults.beginUs)
    add(event, RecordKind.start, event.startUs);
});
generateTrace({ events, rate }, (event) => add(event, event.kind, event.timeUs));
flush();

function add(event: TraceEvent, kind: number, timeUs: number): void {
  const row = batch.count++;
  const { addresses4 } = batch;
  batch.kind[row] = kind;
  batch.flags[row] = 0;
  batch.timeUs[row] = timeUs;
  batch.timeSource[row] = TimeSource.event;
  batch.family[row] = AF_INET;
  batch.proto[row] = event.proto;
  batch.origSrc[row] = addresses4.intern(event.origSrc);
  batch.origDst[row] = batch.replySrc[row] = addresses4.intern(event.origDst);
  batch.replyDst[row] = addresses4.intern(event.replyDst);
  batch.origSrcPort[row] = event.origSrcPort;
  batch.origDstPort[row] = batch.replySrcPort[row] = event.origDstPort;
  batch.replyDstPort[row] = event.replyDstPort;
  batch.status[row] = event.status;
  batch.tcpState[row] = event.tcpState + 1;
  batch.present |= Column.status | Column.tcpState;
  if (batch.count === batch.capacity) flush();
}

function flush(): void {
  if (batch.count === 0) return;
  writeRecordBlock(batch, BlockType.events, { runId: RUN_ID, sequence: UNNUMBERED }, bytes, 0, 'fast');
  writer.append(bytes, 0, NO_FILTER);
  batch.clear();
}
writer.commit();

/** CPU time, because others may be busy on the machine too. */
async function cpuMs(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const readMs = await cpuMs(() => keeper.follow(stats[WriterStat.durableSequence]));
writer.rotate(lastUs + 1e6);
const snapshotMs = await cpuMs(() => keeper.enterNewestFile());
const consumer = new RingConsumer(ring);
let snapshotBytes = 0;
for (let i = 0; i < consumer.available(); i++) snapshotBytes += ring.lengthOf(i);

const result = {
  node: process.version,
  events: stats[WriterStat.durableEvents],
  readNsPerEvent: Math.round((readMs * 1e6) / stats[WriterStat.durableEvents]),
  open: entries,
  snapshotMs: Math.round(snapshotMs),
  snapshotBytes,
  bytesPerEntry: Math.round((snapshotBytes / entries) * 100) / 100,
  rssMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
};
writer.close();
keeper.close();
if (flags.json) console.log(JSON.stringify(result, null, 2));
else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(20)} ${value}`);
