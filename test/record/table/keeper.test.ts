/**
 * The keeper against the real table and a real log, both moved by the test between its steps: what it writes
 * in which order of events, to the row.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { wallClockUs } from '../../../src/base/libc/clock.js';
import { EventBatch, RecordFlag, RecordKind } from '../../../src/event/batch.js';
import { UNNUMBERED, writeRecordBlock } from '../../../src/log/format/block.js';
import { decodeRecords } from '../../../src/log/format/decode-rows.js';
import { BLOCK_HEADER_BYTES, BlockType } from '../../../src/log/format/format.js';
import { parseFrame } from '../../../src/log/format/frame.js';
import { RingConsumer } from '../../../src/record/ring/consumer.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { createBlockRing } from '../../../src/record/stage/blocks.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { type AuditResult, TableKeeper } from '../../../src/record/table/keeper.js';
import { TableRows } from '../../../src/record/table/rows.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { WriterStat } from '../../../src/record/writer/writer-stats.js';
import { batchOf } from '../../find/helpers.js';
import { type FloodPlan, floodConnection } from '../../lab/flood.js';
import { inNamespace, SyncInjector } from '../netlink/in-namespace.js';
import { inDirectory, options, RUN_ID } from '../writer/writer-helper.js';

const NO_FILTER = new Uint8Array(0);

/** A row that the keeper wrote, by the number of its connection. */
interface KeptRow {
  readonly what: 'open' | 'start' | 'end';
  readonly index: number;
  readonly timeUs: number;
  readonly startUs: number;
  readonly afterUs: number;
}

class Bench {
  readonly injector = new SyncInjector();
  readonly keeper: TableKeeper;
  /** What happens when the keeper asks for its next marks, in this order. */
  readonly atMarks: (() => void)[] = [];
  snapshots = 0;
  readonly #stats = createStats();
  readonly #writer: LogWriter;
  readonly #consumer: RingConsumer;
  readonly #bytes = new Uint8Array(1 << 20);
  readonly #kept: KeptRow[] = [];
  #rotations = 0;

  constructor(
    directory: string,
    readonly plan: FloodPlan = { count: 1 },
  ) {
    const ring = createBlockRing();
    this.#consumer = new RingConsumer(ring);
    const mark = async () => {
      this.atMarks.shift()?.();
      this.#write(); // as the real writer does before it answers
      return this.#stats[WriterStat.durableSequence];
    };
    const onSnapshot = () => {
      this.snapshots++;
    };
    const rows = new TableRows(new RingProducer(ring), ring.control, RUN_ID);
    this.keeper = new TableKeeper({ protocols: [6, 17], mark, onSnapshot }, rows);
    this.#writer = new LogWriter(options(join(directory, '%s')), this.#stats, (event) => {
      if (event.type !== 'opened') return;
      const { file: path, openedUs, afterSequence } = event;
      this.keeper.addFile({ path, openedUs, afterSequence });
    });
    this.#writer.open(wallClockUs());
  }

  /** Connections appear in the table, or leave it. */
  create(...indexes: number[]): void {
    for (const first of indexes) this.injector.create({ ...this.plan, first, count: 1 });
  }
  remove(...indexes: number[]): void {
    for (const first of indexes) this.injector.remove({ ...this.plan, first, count: 1 });
  }

  /** Events are recorded. */
  start(...indexes: number[]): void {
    this.#record(RecordKind.start, indexes);
  }
  end(...indexes: number[]): void {
    this.#record(RecordKind.end, indexes);
  }

  /** What the keeper wrote since it was last asked. */
  take(): KeptRow[] {
    this.#write();
    return this.#kept.splice(0);
  }

  async audit(): Promise<AuditResult & { rows: KeptRow[] }> {
    const result = await this.keeper.audit();
    return { ...result, rows: this.take() };
  }

  /** The log goes on in a new file; the keeper hears of it, and reads on when it gets to it. */
  openNext(): void {
    this.#writer.rotate(wallClockUs() + ++this.#rotations * 1e6);
  }

  async rotate(): Promise<KeptRow[]> {
    this.openNext();
    await this.keeper.enterNewestFile();
    return this.take();
  }

  close(): void {
    this.keeper.close();
    this.#writer.close();
    this.injector.close();
  }

  /** What the keeper hands over goes into the log. */
  #write(): void {
    const batch = new EventBatch();
    for (; this.#consumer.readable() > 0; this.#consumer.release(1)) {
      const { ring, index } = this.#consumer;
      const offset = ring.offsetOf(index);
      this.#writer.append(ring.bytes, offset, NO_FILTER);
      const frame = parseFrame(ring.bytes, offset);
      assert.ok(typeof frame === 'object');
      if (frame.type !== BlockType.snapshot) continue;
      const from = offset + BLOCK_HEADER_BYTES;
      decodeRecords(ring.bytes.slice(from, from + frame.storedBytes), frame.count, frame.minTimeUs, batch);
      for (let row = 0; row < batch.count; row++) this.#kept.push(keptRow(batch, row));
    }
    this.#writer.commit();
  }

  #record(kind: number, indexes: readonly number[]): void {
    const rows = indexes.map((index) => {
      const { proto, zone, orig, reply } = floodConnection(this.plan, index);
      return {
        kind,
        timeUs: wallClockUs(),
        proto,
        ...(zone !== undefined && { zone }),
        src: orig.src,
        sport: orig.sport,
        dst: orig.dst,
        dport: orig.dport,
        replySrc: reply.src,
        replySport: reply.sport,
        replyDst: reply.dst,
        replyDport: reply.dport,
      };
    });
    const identity = { runId: RUN_ID, sequence: UNNUMBERED };
    writeRecordBlock(batchOf(rows), BlockType.events, identity, this.#bytes, 0, 'fast');
    this.#writer.append(this.#bytes, 0, NO_FILTER);
    this.#writer.commit();
  }
}

function keptRow(batch: EventBatch, row: number): KeptRow {
  const isDerived = (batch.flags[row] & RecordFlag.derived) !== 0;
  assert.equal(isDerived, batch.kind[row] !== RecordKind.snapshot);
  const what =
    batch.kind[row] === RecordKind.snapshot ? 'open' : batch.kind[row] === RecordKind.start ? 'start' : 'end';
  const index = batch.replyDstPort[row] - 1024;
  return { what, index, timeUs: batch.timeUs[row], startUs: batch.startUs[row], afterUs: batch.endUs[row] };
}

const brief = (rows: readonly KeptRow[]) => rows.map(({ what, index }) => `${what} ${index}`).sort();

async function withBench(plan: FloodPlan, use: (bench: Bench) => Promise<void>): Promise<void> {
  await inDirectory(async (directory) => {
    const bench = new Bench(directory, plan);
    try {
      await use(bench);
    } finally {
      bench.close();
    }
  });
}

const plans: Record<string, FloodPlan> = {
  'IPv4 TCP': { count: 1 },
  'IPv6 UDP in a zone': { count: 1, family: 6, proto: 17, zone: 9 },
};

inNamespace(import.meta.url, () => {
  afterEach(() => {
    const injector = new SyncInjector();
    injector.flush();
    injector.close();
  });

  for (const [name, plan] of Object.entries(plans)) {
    test(`what log and table agree on is not told: ${name}`, () =>
      withBench(plan, async (bench) => {
        bench.create(1, 2);
        bench.start(1, 2);
        const { entries, rows } = await bench.audit();
        assert.deepEqual([entries, rows], [2, []]);
      }));

    test(`the first audit finds what was open before, each later one what appeared and what is gone: ${name}`, () =>
      withBench(plan, async (bench) => {
        const beganUs = wallClockUs();
        bench.create(1, 2, 3);
        bench.start(3);
        const first = await bench.audit();
        assert.deepEqual([first.found, first.derivedStarts, first.derivedEnds], [2, 0, 0]);
        assert.deepEqual(brief(first.rows), ['open 1', 'open 2']);
        bench.remove(1, 3);
        bench.create(4);
        const second = await bench.audit();
        assert.deepEqual([second.found, second.derivedStarts, second.derivedEnds], [0, 1, 2]);
        assert.deepEqual(brief(second.rows), ['end 1', 'end 3', 'start 4']);
        for (const { afterUs, timeUs } of second.rows)
          assert.ok(afterUs > beganUs && afterUs < timeUs && timeUs <= wallClockUs());
        assert.deepEqual((await bench.audit()).rows, [], 'told once');
      }));
  }

  test('what the log tells between the marks wins over what the dump showed', () =>
    withBench({ count: 1 }, async (bench) => {
      bench.create(1, 2);
      bench.start(1);
      // 1 is in the table still when its end is read; 2 is there before its start is read; 3 comes and goes.
      bench.atMarks.push(
        () => {},
        () => {
          bench.end(1);
          bench.start(2, 3);
          bench.end(3);
        },
      );
      const { rows } = await bench.audit();
      assert.deepEqual(rows, []);
      bench.remove(1);
      assert.deepEqual((await bench.audit()).rows, []);
    }));

  test('an end that is on its way when the entry is found gone is no lost end', () =>
    withBench({ count: 1 }, async (bench) => {
      bench.start(1, 2);
      bench.atMarks.push(
        () => {},
        () => {},
        () => bench.end(1),
      );
      const { rows, derivedEnds } = await bench.audit();
      assert.deepEqual([brief(rows), derivedEnds], [['end 2'], 1]);
    }));

  test('one that is gone and begins again on its way to us goes on', () =>
    withBench({ count: 1 }, async (bench) => {
      bench.start(1);
      bench.atMarks.push(
        () => {},
        () => {},
        () => {
          bench.end(1);
          bench.start(1);
        },
      );
      assert.deepEqual((await bench.audit()).rows, []);
      bench.create(1);
      assert.deepEqual((await bench.audit()).rows, []);
    }));

  test('a snapshot has what is open at the beginning of the file, with the start that the log tells', () =>
    withBench({ count: 1 }, async (bench) => {
      bench.create(1, 2);
      bench.start(2, 3, 4);
      await bench.audit(); // 1 was there, 3 and 4 are gone
      bench.start(5);
      bench.end(5);
      const rows = await bench.rotate();
      assert.deepEqual(brief(rows), ['open 1', 'open 2']);
      assert.equal(rows.find(({ index }) => index === 1)!.startUs, 0);
      assert.ok(rows.find(({ index }) => index === 2)!.startUs > 0);
      assert.equal(new Set(rows.map(({ timeUs }) => timeUs)).size, 1);
    }));

  test('rows of the table, read back behind the end of their connection, do not open it again', () =>
    withBench({ count: 1 }, async (bench) => {
      bench.create(1, 2);
      bench.start(2);
      // The ends come into the log before the rows of the audit, and before those of the snapshot.
      await bench.keeper.audit();
      bench.end(1);
      bench.remove(1);
      assert.deepEqual(brief(bench.take()), ['open 1']);
      await bench.audit();
      bench.openNext();
      await bench.keeper.enterNewestFile();
      bench.end(2);
      bench.remove(2);
      assert.deepEqual(brief(bench.take()), ['open 2']);
      assert.deepEqual((await bench.audit()).rows, []);
      assert.deepEqual(await bench.rotate(), []);
    }));

  test('a rotation between the marks gets its snapshot then, without what the audit has not decided', () =>
    withBench({ count: 1 }, async (bench) => {
      bench.create(1, 2, 3);
      bench.start(1, 4);
      bench.atMarks.push(
        () => {},
        () => {
          bench.openNext();
          bench.start(2);
        },
      );
      const { rows } = await bench.audit();
      assert.equal(bench.snapshots, 1);
      // 4 is gone, which the snapshot cannot know; 3 is found.
      assert.deepEqual(brief(rows), ['end 4', 'open 1', 'open 3', 'open 4']);
    }));

  test('when the kernel refuses, nothing is left of the audit', () =>
    withBench({ count: 1 }, async (bench) => {
      bench.create(1);
      bench.start(2);
      bench.create(2);
      bench.atMarks.push(
        () => {},
        () => {
          throw new Error('refused');
        },
      );
      await assert.rejects(bench.audit(), /refused/);
      assert.deepEqual(bench.take(), []);
      assert.deepEqual(brief(await bench.rotate()), ['open 2']);
      assert.deepEqual(brief((await bench.audit()).rows), ['open 1']);
    }));
});
