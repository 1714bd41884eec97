/**
 * The synthetic trace is a yardstick: the same seed must give the same events everywhere, and they must make
 * sense.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { generateTrace, type TraceEvent } from '../../bench/generate/trace.js';
import { CaptureWriter } from '../../bench/generate/writers.js';
import { ByteInput, FileFeed } from '../../src/base/disk/input.js';
import { RecordKind } from '../../src/event/batch.js';
import { PacketReader } from '../../src/record/replay/reader.js';
import { makeFolder, removeFolder } from '../lab/folder.js';

const EVENTS = 20_000;
/**
 * Of seed 1 as a capture. Bytes per event are measured on this trace: whoever changes it changes those
 * numbers.
 */
const TRACE_SHA256 = 'b783cc67556d200b8acafe4e17f088174d2f8d48d6069c5eac951329054ecde4';

function events(seed: number): TraceEvent[] {
  const all: TraceEvent[] = [];
  generateTrace({ events: EVENTS, seed, rate: 500 }, (event) => all.push({ ...event }));
  return all;
}

function capture(seed: number): { bytes: Buffer; packets: Promise<number> } {
  const folder = makeFolder('trace');
  const file = path.join(folder, 'trace.pcap');
  const writer = new CaptureWriter(file);
  generateTrace({ events: EVENTS, seed, rate: 500 }, (event) => writer.write(event));
  writer.close();
  const bytes = readFileSync(file);
  return { bytes, packets: countPackets(file).finally(() => removeFolder(folder)) };
}

async function countPackets(file: string): Promise<number> {
  const input = new ByteInput(new FileFeed(file));
  const reader = new PacketReader(input, file);
  let packets = 0;
  while (reader.next() || ((await reader.fill()) && reader.next())) packets++;
  await input.close();
  return packets;
}

describe('the synthetic trace', () => {
  it('is the same for the same seed, another for another', () => {
    const digest = (seed: number) =>
      createHash('sha256')
        .update(JSON.stringify(events(seed)))
        .digest('hex');
    assert.equal(digest(1), digest(1));
    assert.notEqual(digest(1), digest(2));
  });

  it('is these very bytes as a capture, on every machine', async () => {
    const { bytes, packets } = capture(1);
    assert.equal(await packets, EVENTS);
    const digest = createHash('sha256').update(bytes).digest('hex');
    assert.equal(digest, TRACE_SHA256);
  });

  it('has as many events as were asked for, in the order of time, each end after its start', () => {
    const all = events(3);
    assert.equal(all.length, EVENTS);
    for (const [i, event] of all.entries()) {
      assert.ok(i === 0 || event.timeUs >= all[i - 1].timeUs, `event ${i} is earlier than the one before`);
      if (event.kind === RecordKind.start) assert.equal(event.startUs, event.timeUs);
      else assert.ok(event.startUs < event.timeUs, `event ${i} ends before it starts`);
    }
  });

  it('never has the same tuple open twice, in either direction', () => {
    const open = new Set<string>();
    for (const event of events(4)) {
      const { proto, origSrc, origSrcPort, origDst, origDstPort, replyDst, replyDstPort } = event;
      const keys = [
        `orig ${proto} ${origSrc} ${origSrcPort} ${origDst} ${origDstPort}`,
        `reply ${proto} ${origDst} ${origDstPort} ${replyDst} ${replyDstPort}`,
      ];
      for (const key of keys) {
        if (event.kind === RecordKind.end) open.delete(key);
        else {
          assert.ok(!open.has(key), `opened twice: ${key}`);
          open.add(key);
        }
      }
    }
  });
});
