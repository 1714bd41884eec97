/** A recording of a file a day, for tests of what is kept of them. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { SystemFailure } from '../../../src/base/errors.js';
import { BlockType } from '../../../src/log/format/format.js';
import { parseFrame } from '../../../src/log/format/frame.js';
import type { RemovedFile, RetentionNote } from '../../../src/log/format/retention-note.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { Retention } from '../../../src/record/writer/retention.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import type { RetentionOptions, WriterEvent } from '../../../src/record/writer/writer-task.js';
import { Events, eventBlock, namesIn, options, START_US } from './writer-helper.js';

export const DAY_US = 86_400e6;
const DAY_SECONDS = 86_400;
/** Events of a day come this late in it. */
const LATE_SECONDS = 80_000;

/** Records a file a day from START_US on; the last one stays live. */
export class Days {
  readonly events = new Events();
  readonly stats = createStats();
  readonly writer: LogWriter;
  readonly retention: Retention;
  #day = 0;

  constructor(
    readonly directory: string,
    keep: Partial<RetentionOptions>,
    fs: LogFileSystem = realFileSystem,
  ) {
    this.writer = new LogWriter(options(join(directory, '%Y%m%d')), this.stats, this.events.emit, fs);
    this.retention = new Retention(
      this.writer,
      { holds: [], trustClock: true, ...keep },
      this.stats,
      this.events.emit,
    );
    this.writer.open(START_US);
  }

  record(days: number, rows = 3): this {
    for (let i = 0; i < days; i++) {
      if (this.#day > 0) this.writer.rotate(START_US + this.#day * DAY_US);
      const { bytes, filter } = eventBlock(blockOf(++this.#day), rows);
      this.writer.append(bytes, 0, filter);
      this.writer.commit();
    }
    return this;
  }

  /** Everything that is to be removed now; the steps are those of the loop. */
  async retain(): Promise<this> {
    this.retention.schedule();
    await this.work();
    return this;
  }

  /** As the loop does it: what retention notes is durable before its next step. */
  step(): void {
    this.retention.step();
    while (this.writer.hasNotes) {
      try {
        this.writer.restore();
        this.writer.commit();
      } catch (error) {
        if (!(error instanceof SystemFailure)) throw error;
      }
    }
  }

  async work(): Promise<void> {
    do {
      this.step();
      await setImmediate();
    } while (this.retention.busy);
    this.writer.commit();
  }

  /** Days whose files are there. */
  get left(): number[] {
    return namesIn(this.directory).flatMap((name) => {
      const day = NAMES.indexOf(name.replace('.part', ''));
      return day < 0 ? [] : [day];
    });
  }

  get removed(): Extract<WriterEvent, { type: 'removed' }>[] {
    return this.events.all.filter((event) => event.type === 'removed');
  }

  path(day: number): string {
    return join(this.directory, NAMES[day]);
  }
}

/** File names by day, from 1. */
export const NAMES = Array.from({ length: 40 }, (_, day) =>
  new Date((START_US + (day - 1) * DAY_US) / 1000).toISOString().slice(0, 10).replaceAll('-', ''),
);

/** The block that a day records; its number is also the time of its rows, seconds after START_US. */
export function blockOf(day: number): number {
  return (day - 1) * DAY_SECONDS + LATE_SECONDS;
}

/** It is this many days after the beginning. */
export function setNow(t: TestContext, days: number): void {
  t.mock.method(Date, 'now', () => START_US / 1000 + days * DAY_SECONDS * 1000);
}

interface Note {
  readonly atUs: number;
  readonly removed: readonly RemovedFile[];
  readonly blockUs: number;
}

/** What a file tells of removed ones, and the time of the block that does. */
export function notesIn(file: string): Note[] {
  return allNotesIn(file).flatMap(({ atUs, removed, blockUs }) =>
    removed === undefined ? [] : [{ atUs, removed, blockUs }],
  );
}

/** What a file tells of those that were about to be removed. */
export function announcedIn(file: string): RemovedFile[] {
  return allNotesIn(file).flatMap(({ removing = [] }) => removing);
}

function allNotesIn(file: string): (RetentionNote['retention'] & { blockUs: number })[] {
  const bytes = readFileSync(file);
  const notes: ReturnType<typeof allNotesIn> = [];
  for (let at = 16; at < bytes.length; ) {
    const frame = parseFrame(bytes, at);
    assert.ok(typeof frame === 'object');
    const end = at + frame.headerBytes + frame.storedBytes;
    if (frame.type === BlockType.checkpoint) {
      const { retention } = JSON.parse(bytes.toString('utf8', at + frame.headerBytes, end)) as RetentionNote;
      notes.push({ ...retention, blockUs: frame.maxTimeUs });
    }
    at = end;
  }
  return notes;
}

/** In logs. */
export function usedBytes(directory: string): number {
  const logs = namesIn(directory).filter((name) => !name.startsWith('.ctrecorder'));
  return logs.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}
