/** What the query tests share: temporary directories, captured output, and rows written as objects. */

import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import ipaddr from 'ipaddr.js';
import { AF_INET, AF_INET6, Column, EventBatch, RecordKind, TimeSource } from '../../src/event/batch.js';
import { defaultListOptions, type ListOptions, type ListResult, list } from '../../src/find/query/list.js';
import { repositoryPath } from '../lab/repository.js';

export const fixture = (name: string) => repositoryPath(`test/fixtures/legacy/${name}`);

/** Set TZ for one test. */
export function useZone(t: TestContext, tz: string): void {
  const before = process.env.TZ;
  process.env.TZ = tz;
  t.after(() => {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });
}

class Collector extends Writable {
  readonly chunks: Buffer[] = [];
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // The listing reuses its buffers once the write is done.
    this.chunks.push(Buffer.from(chunk));
    done();
  }
  text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

export async function listText(
  file: string,
  options: Partial<ListOptions> = {},
): Promise<{ stdout: string; stderr: string; result: ListResult }> {
  const stdout = new Collector();
  const stderr = new Collector();
  const result = await list({ ...defaultListOptions, file, ...options }, { stdout, stderr });
  return { stdout: stdout.text(), stderr: stderr.text(), result };
}

export interface TestRow {
  kind?: number;
  timeUs: number;
  timeSource?: number;
  endUs?: number;
  startUs?: number;
  flags?: number;
  proto?: number;
  zone?: number;
  zoneDirection?: number;
  src?: string;
  sport?: number;
  dst?: string;
  dport?: number;
  replySrc?: string;
  replySport?: number;
  replyDst?: string;
  replyDport?: number;
}

/** Rows as a batch; what is not given is a TCP start of 10.0.0.1:1000 to 192.0.2.1:80 behind 203.0.113.1. */
export function batchOf(rows: readonly TestRow[]): EventBatch {
  const batch = new EventBatch(Math.max(1, rows.length));
  for (const row of rows) {
    const i = batch.count++;
    const { src = '10.0.0.1', dst = '192.0.2.1', sport = 1000, dport = 80 } = row;
    const isV4 = ipaddr.IPv4.isValid(src);
    const intern = (text: string): number => {
      const view = new DataView(Uint8Array.from(ipaddr.parse(text).toByteArray()).buffer);
      if (isV4) return batch.addresses4.intern(view.getUint32(0));
      return batch.addresses6.intern(
        view.getUint32(0),
        view.getUint32(4),
        view.getUint32(8),
        view.getUint32(12),
      );
    };
    batch.kind[i] = row.kind ?? RecordKind.start;
    batch.flags[i] = row.flags ?? 0;
    batch.timeUs[i] = row.timeUs;
    batch.timeSource[i] = row.timeSource ?? TimeSource.event;
    batch.family[i] = isV4 ? AF_INET : AF_INET6;
    batch.proto[i] = row.proto ?? 6;
    batch.origSrc[i] = intern(src);
    batch.origDst[i] = intern(dst);
    batch.replySrc[i] = intern(row.replySrc ?? dst);
    batch.replyDst[i] = intern(row.replyDst ?? (isV4 ? '203.0.113.1' : src));
    batch.origSrcPort[i] = sport;
    batch.origDstPort[i] = dport;
    batch.replySrcPort[i] = row.replySport ?? dport;
    batch.replyDstPort[i] = row.replyDport ?? sport;
    if (row.endUs !== undefined) {
      batch.endUs[i] = row.endUs;
      batch.present |= Column.endUs;
    }
    if (row.startUs !== undefined) {
      batch.startUs[i] = row.startUs;
      batch.present |= Column.startUs;
    }
    if (row.zone !== undefined || row.zoneDirection !== undefined) {
      batch.zone[i] = row.zone ?? 0;
      batch.zoneDirection[i] = row.zoneDirection ?? 0;
      batch.present |= Column.zone;
    }
  }
  return batch;
}

const DOCS = readFileSync(repositoryPath('docs/json.md'), 'utf8');

/** Keys of a table of docs/json.md: those that are always there, in order, and the others. */
export function documented(heading: string): { always: string[]; others: string[] } {
  const table = DOCS.slice(DOCS.indexOf(heading))
    .split('\n\n')
    .find((part) => part.startsWith('| key'));
  const keys = { always: [] as string[], others: [] as string[] };
  for (const line of table!.trim().split('\n').slice(2)) {
    const [, names, when] = line.split('|');
    const into = when.includes('always') ? keys.always : keys.others;
    for (const [, name] of names.matchAll(/`(\w+)`/g)) into.push(name);
  }
  return keys;
}
