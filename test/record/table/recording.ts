/**
 * Recordings of known entries by the real program, and what their files say, read back by index of the plan
 * (test/lab/flood.ts).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type EventBatch, RecordFlag, RecordKind } from '../../../src/event/batch.js';
import { openLog } from '../../../src/log/read/open.js';
import { floodIndex } from '../../lab/flood.js';
import { visibleNames, withFolder as withNewFolder } from '../../lab/folder.js';
import { ctrecorder } from '../../lab/listing.js';
import type { Namespace } from '../../lab/namespace.js';
import { ObservedProcess } from '../../lab/process.js';

const TEMPLATE = 'log-%Y%m%d-%H%M%S.ct';

/** A folder for the files of one recording, removed afterwards, also on failure. */
export function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  return withNewFolder('table', use);
}

/** A recorder that records into `folder`. */
export async function record(
  namespace: Namespace,
  folder: string,
  ...options: string[]
): Promise<ObservedProcess> {
  const args = ['-C', '-F', '-f', TEMPLATE, '--log-format', 'json', ...options];
  const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
  await recorder.says(/recording to/);
  return recorder;
}

/** How often it has said so. */
export function countOf(recorder: ObservedProcess, pattern: RegExp): number {
  return [...recorder.stderr.matchAll(new RegExp(pattern, 'g'))].length;
}

/** Wait until it has said so `times` times. */
export function saysTimes(recorder: ObservedProcess, pattern: RegExp, times: number): Promise<void> {
  return recorder.until(() => countOf(recorder, pattern) >= times, `${times} times ${pattern}`);
}

/** Have a new file. Names have seconds: within the second of the last one there can be none. */
export async function rotate(recorder: ObservedProcess): Promise<void> {
  const opened = [...recorder.stderr.matchAll(/"time":(\d+).*recording to/g)];
  const openedMs = Number(opened.at(-1)![1]);
  await recorder.until(() => Math.floor(Date.now() / 1000) > Math.floor(openedMs / 1000), 'the next second');
  recorder.signal('SIGHUP');
  await saysTimes(recorder, /recording to/, opened.length + 1);
}

/** Stop well, and answer the finished files in their order. */
export async function stopWell(recorder: ObservedProcess, folder: string): Promise<string[]> {
  const { code, stderr } = await recorder.stop();
  assert.equal(code, 0, stderr);
  const files = visibleNames(folder);
  assert.ok(!files.some((name) => name.endsWith('.part')), 'every file is closed');
  return files.map((name) => path.join(folder, name));
}

const FIRST_PUBLIC = 0xc6336401;
const PORTS = 60_000;
const FIRST_PORT = 1024;

/** Index in the plan of a row: what its reply destination tells (IPv4). */
function indexOf(batch: EventBatch, row: number): number {
  const address = batch.addresses4.values[batch.replyDst[row]];
  return (address - FIRST_PUBLIC) * PORTS + batch.replyDstPort[row] - FIRST_PORT;
}

export interface PlanRow {
  readonly index: number;
  /** RecordKind */
  readonly kind: number;
  readonly derived: boolean;
  readonly timeUs: number;
  readonly startUs: number;
  readonly endUs: number;
}

/** The rows of a file, in its order. */
export async function* rowsOf(file: string): AsyncGenerator<PlanRow> {
  const source = await openLog(file);
  try {
    for await (const item of source.items()) {
      assert.notEqual(item.type, 'damage');
      if (item.type !== 'records') continue;
      const { batch } = item;
      for (let row = 0; row < batch.count; row++)
        yield {
          index: indexOf(batch, row),
          kind: batch.kind[row],
          derived: (batch.flags[row] & RecordFlag.derived) !== 0,
          timeUs: batch.timeUs[row],
          startUs: batch.startUs[row],
          endUs: batch.endUs[row],
        };
    }
  } finally {
    await source.close();
  }
}

/**
 * Whether all that was open at its beginning is in the file: after quick rotations the keeper gives up those
 * that are closed.
 */
export function hasSnapshot(file: string): boolean {
  const bytes = readFileSync(file);
  const openedUs = Number(/"openedUs":(\d+)/.exec(bytes.toString('latin1'))![1]);
  return bytes.includes(`"atUs":${openedUs}}}`);
}

/** What a file has of each entry. */
export interface FileRows {
  readonly snapshots: PlanRow[];
  readonly starts: PlanRow[];
  readonly ends: PlanRow[];
  readonly derived: PlanRow[];
}

export async function readRows(file: string): Promise<FileRows> {
  const rows: FileRows = { snapshots: [], starts: [], ends: [], derived: [] };
  for await (const row of rowsOf(file)) {
    if (row.derived) rows.derived.push(row);
    else if (row.kind === RecordKind.snapshot) rows.snapshots.push(row);
    else if (row.kind === RecordKind.start) rows.starts.push(row);
    else rows.ends.push(row);
  }
  return rows;
}

/** A line of `-L -s`. */
export interface ListedConnection {
  readonly index: number;
  /** As printed; a dash when it is not known. */
  readonly start: string;
  readonly end: string;
}

const TIME = '(?:[\\d.]{10} [\\d:]{8}\\.\\d{6}|-\\s+-\\s+)';
const CONNECTION = new RegExp(
  `^(${TIME}) (${TIME}) src=\\S+ dst=\\S+ src=\\S+ dst=(\\S+):(\\d+)(?: proto=\\S+)?$`,
);

/** What `ctrecorder -L -s` says of a file. */
export function* connectionsOf(file: string): Generator<ListedConnection> {
  const listing = ctrecorder(['-L', '-H', '-s', '-f', file]);
  for (let from = 0; from < listing.length; ) {
    const to = listing.indexOf('\n', from);
    const line = listing.slice(from, to);
    from = to + 1;
    const match = CONNECTION.exec(line);
    if (match === null) throw new Error(`not a line of a listing: ${line}`);
    const [, start, end, address, port] = match;
    yield {
      index: floodIndex(address, Number(port)),
      start: start.trim()[0] === '-' ? '-' : start,
      end: end.trim()[0] === '-' ? '-' : end,
    };
  }
}
