/**
 * Two recordings with everything that can happen to them, and a crash of the machine at every moment of it:
 * the next start finds what was acknowledged, once, shows nothing that is not whole, and records.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { SystemFailure } from '../../../src/base/errors.js';
import { fileName } from '../../../src/log/format/names.js';
import { headerAt } from '../../../src/log/read/own-files.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { Retention } from '../../../src/record/writer/retention.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import {
  type CrashState,
  type Facts,
  materialise,
  type Operation,
  recordOperations,
  statesAfter,
} from './crash-model.js';
import {
  complaints,
  eventBlock,
  fastFolder,
  inDirectory,
  intactRowsOf,
  killable,
  metaOf,
  namesIn,
  options,
  recoverFiles,
  rowsOf,
  START_US,
} from './writer-helper.js';

process.env.TZ = 'UTC';

const ROWS = 2;
const MINUTE_US = 60e6;
/** A directory and a file of its own for each ten minutes and minute. */
const TEMPLATE = '%H/%M';

/** A recorder whose operations are recorded, together with what must be found after them. */
class Recording {
  readonly operations: Operation[] = [];
  /** The recorder's clock. */
  nowUs = START_US;
  readonly #fs: LogFileSystem;
  #failing: 'sync' | 'write' | undefined;
  #half = false;
  #writer!: LogWriter;
  #kill!: () => void;
  readonly #blocksIn = new Map<string, number[]>();

  constructor(readonly template: string) {
    const fail = (operation: string, path: string) => {
      this.#failing = undefined;
      throw new SystemFailure(operation, 'EIO', `${operation} ${path}: injected`, { path });
    };
    this.#fs = recordOperations(
      {
        ...realFileSystem,
        sync: (file) => (this.#failing === 'sync' ? fail('sync', file.path) : realFileSystem.sync(file)),
        write: (file, bytes, offset, length, position) => {
          if (this.#failing !== 'write') return realFileSystem.write(file, bytes, offset, length, position);
          this.#half = !this.#half;
          return this.#half
            ? realFileSystem.write(file, bytes, offset, length >> 1, position)
            : fail('write', file.path);
        },
        remove: (path) => {
          const gone = this.#blocksIn.get(path) ?? [];
          this.#mark((facts) => gone.forEach((block) => void facts.acknowledged.delete(block)));
          realFileSystem.remove(path);
        },
      },
      this.operations,
    );
  }

  async start(minutes: number): Promise<void> {
    this.nowUs = START_US + minutes * MINUTE_US;
    const { fs, kill } = killable(this.#fs);
    this.#kill = kill;
    this.#writer = new LogWriter(options(this.template), createStats(), () => {}, fs);
    this.#writer.open(this.nowUs, await recoverFiles(this.template, [6], fs));
  }

  /** Make blocks durable, after a failure again. */
  write(...numbers: number[]): void {
    const blocks = numbers.map((number) => eventBlock(number, ROWS));
    for (let done = false; !done; ) {
      try {
        this.#writer.restore();
        for (const { bytes, filter } of blocks) this.#writer.append(bytes, 0, filter);
        this.#writer.commit();
        done = true;
      } catch (error) {
        if (!(error instanceof SystemFailure)) throw error;
      }
    }
    const path = this.#writer.path.replace(/\.part$/, '');
    this.#blocksIn.set(path, [...(this.#blocksIn.get(path) ?? []), ...numbers]);
    this.#mark((facts) => numbers.forEach((number) => void facts.acknowledged.add(number)));
  }

  rotate(minutes: number): void {
    this.nowUs = START_US + minutes * MINUTE_US;
    this.#writer.rotate(this.nowUs);
  }

  failNext(operation: 'sync' | 'write'): void {
    this.#failing = operation;
  }

  async retain(keepBytes: number): Promise<void> {
    const retention = new Retention(this.#writer, { keepBytes, holds: [] }, createStats(), () => {});
    retention.schedule();
    while (retention.busy) {
      retention.step();
      if (this.#writer.hasNotes) this.#writer.commit();
      await setImmediate();
    }
    this.write();
  }

  stop(): void {
    this.#writer.close();
  }

  /** In the middle of a group. */
  killWithin(...numbers: number[]): void {
    for (const number of numbers) {
      const { bytes, filter } = eventBlock(number, ROWS);
      this.#writer.append(bytes, 0, filter);
    }
    this.#kill();
  }

  #mark(mark: (facts: Facts) => void): void {
    this.operations.push({ type: 'mark', mark });
  }
}

test('a crash at any moment: all acknowledged is found, once, and recording goes on', (t) =>
  inDirectory(async (root) => {
    const directory = join(root, 'log');
    const recording = new Recording(join(directory, TEMPLATE));
    t.mock.method(Date, 'now', () => recording.nowUs / 1000);
    await recording.start(0);
    recording.write(1, 2);
    recording.write(3);
    recording.rotate(1);
    recording.write(4);
    recording.failNext('write');
    recording.write(5);
    recording.rotate(2);
    recording.failNext('sync');
    recording.write(6, 7);
    recording.write(8);
    await recording.retain(4500);
    recording.killWithin(9, 10);
    await recording.start(60);
    recording.write(11);
    recording.rotate(61);
    recording.write(12);
    recording.stop();

    const { operations } = recording;
    const facts: Facts = { acknowledged: new Set() };
    const checked = new Set<string>();
    for (let count = 0; count <= operations.length; count++) {
      const operation = operations[count - 1];
      if (operation?.type === 'mark') operation.mark(facts);
      for (const state of statesAfter(operations, count)) {
        const key = `${state.key} ${[...facts.acknowledged]}`;
        if (checked.has(key)) continue;
        checked.add(key);
        materialise(state, directory);
        await check(directory, state, facts).catch((error) => {
          const files = [...state.files].map(([path, { length }]) => `${path} of ${length} bytes`);
          throw new Error(`${state.what}: ${files.join(', ')}`, { cause: error });
        });
      }
    }
    t.diagnostic(`${operations.length} operations, ${checked.size} different states`);
    assert.ok(checked.size > 400);
  }, fastFolder));

async function check(directory: string, { hasHole }: CrashState, facts: Facts): Promise<void> {
  const template = join(directory, TEMPLATE);
  const { fs, kill } = killable();
  const writer = new LogWriter(options(template), createStats(), () => {}, fs);
  writer.open(START_US + 120 * MINUTE_US, await recoverFiles(template, [6]));
  const { bytes, filter } = eventBlock(200, ROWS);
  writer.append(bytes, 0, filter);
  writer.commit();
  writer.close();
  kill();
  const paths = namesIn(directory).map((name) => join(directory, name));
  for (const path of paths.filter((name) => name.endsWith('.part')))
    assert.equal(headerAt(realFileSystem, path), undefined, 'only what has no header stays live');
  const files = paths
    .filter((path) => !/\.(part|torn|intent)/.test(path))
    .sort((a, b) => metaOf(a).openedUs - metaOf(b).openedUs || a.length - b.length);
  for (const path of toldRemoved(template, files))
    assert.ok(!existsSync(path), `${path} is gone as the log says`);
  const said = await complaints(...files);
  // Blocks behind a hole are kept: what is missing was not acknowledged, and is reported.
  if (!hasHole) assert.deepEqual(said, []);
  const rows = hasHole ? await intactRowsOf(files) : await rowsOf(...files);
  assert.deepEqual([...new Set(rows)], rows, 'none twice');
  const blocks = [...new Set(rows.map((row) => Number.parseInt(row, 10)))];
  assert.equal(rows.length, blocks.length * ROWS, 'blocks are whole');
  const missing = [...facts.acknowledged, 200].filter((block) => !blocks.includes(block));
  assert.deepEqual(missing, [], 'all acknowledged');
}

/** Files that the notes of retention name. */
function toldRemoved(template: string, files: readonly string[]): string[] {
  const text = files.map((file) => readFileSync(file, 'latin1')).join();
  const notes = [...text.matchAll(/"removed":\[.*?\]/g)].map(([note]) => note).join();
  return [...notes.matchAll(/"file":"[^"]*","openedUs":(\d+)/g)].map(([, openedUs]) =>
    fileName(template, Number(openedUs)),
  );
}
