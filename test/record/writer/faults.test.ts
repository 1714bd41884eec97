/**
 * A whole life of a writer (first file, groups, rotations, stop) with a fault at every call and at every
 * byte: (fault, where) → what was acknowledged is readable, nothing twice, the files are sound after the next
 * start, and which files there are.
 */
import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LogFile, LogFileSystem } from '../../../src/base/disk/disk.js';
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { SystemFailure } from '../../../src/base/errors.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import {
  complaints,
  eventBlock,
  expectedRows,
  type Fault,
  fastFolder,
  faultyFileSystem,
  inDirectory,
  killable,
  namesIn,
  options,
  recoverFiles,
  rowsOf,
  START_US,
} from './writer-helper.js';

process.env.TZ = 'UTC';

type Step = readonly number[] | 'rotate';
/** Groups of blocks, and rotations. */
const LIFE: readonly Step[] = [[1, 2], [3], 'rotate', [4], 'rotate', [5]];
const SHORT_LIFE: readonly Step[] = [[1], [2], 'rotate', [3]];
const TEMPLATE = '%H%M';
const FIRST = 2115;
const NAMES = ['2115', '2116', '2117'];
const ATTEMPTS_MAX = 8;
const CODES = ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'ENOENT', 'EBADF', 'ESTALE'] as const;

/** A recording before it, so that the first file begins with a gap. */
const earlier = {
  lastFile: { file: '2114', acknowledgedBytes: 1000, chain: '00'.repeat(32) },
  seenUntilUs: START_US - 1e6,
  fileNumber: 1,
};

interface Outcome {
  /** The last block that was acknowledged. */
  readonly acknowledged: number;
  readonly started: boolean;
}

/**
 * Live until the end, or until a group fails ATTEMPTS_MAX times: then it is killed. `enter` is told what it
 * is about to do.
 */
function live(
  directory: string,
  base: LogFileSystem,
  steps = LIFE,
  enter: (what: string) => void = () => {},
): Outcome {
  const { fs, kill } = killable(base);
  const writer = new LogWriter(options(join(directory, TEMPLATE)), createStats(), () => {}, fs);
  let acknowledged = 0;
  let rotations = 0;
  try {
    enter('start');
    writer.open(START_US, earlier);
    for (const step of steps) {
      if (step === 'rotate') rotations++;
      enter(`${step === 'rotate' ? 'begin' : 'group'} ${FIRST + rotations}`);
      if (step === 'rotate') writer.rotate(START_US + rotations * 60e6);
      else if (writeGroup(writer, step)) acknowledged = step.at(-1)!;
      else return { acknowledged, started: true };
    }
    enter('stop');
    writer.close();
    return { acknowledged, started: true };
  } catch (error) {
    if (!(error instanceof SystemFailure) || writer.path !== '') throw error;
    return { acknowledged, started: false };
  } finally {
    kill();
  }
}

/** As the loop does: the same memory again, until it is durable. */
function writeGroup(writer: LogWriter, group: readonly number[]): boolean {
  const blocks = group.map((block) => eventBlock(block, 1));
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    try {
      writer.restore();
      for (const { bytes, filter } of blocks) writer.append(bytes, 0, filter);
      writer.commit();
      return true;
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
    }
  }
  return false;
}

/**
 * The next start, then: rows `from` to `acknowledged` are there, none twice, nothing is wrong. Answers the
 * files' names in order.
 */
async function checkAfterwards(directory: string, acknowledged: number, from = 1): Promise<string[]> {
  if (existsSync(directory)) await recoverFiles(join(directory, TEMPLATE), [6]);
  const names = existsSync(directory)
    ? namesIn(directory).filter((name) => /^\d{4}(\.\d+)?$/.test(name))
    : [];
  const files = names.sort().map((name) => join(directory, name));
  const rows = await rowsOf(...files);
  assert.deepEqual([...new Set(rows)], rows, 'none twice');
  const missing = expectedRows(from, acknowledged, 1).filter((row) => !rows.includes(row));
  assert.deepEqual(missing, [], 'all acknowledged');
  assert.deepEqual(await complaints(...files), []);
  return names;
}

interface Call {
  readonly operation: keyof LogFileSystem;
  /** "start", "group FILE", "begin FILE" (a rotation to it), "end" (of the file before, or at the stop). */
  readonly during: string;
}

/** Every call of a life without faults. */
function callsOf(directory: string, steps = LIFE): Call[] {
  const calls: Call[] = [];
  let during = '';
  const fs = faultyFileSystem((operation) => {
    // cutting back is the first thing, and nothing else cuts back here
    if (operation === 'truncate') during = 'end';
    calls.push({ operation, during });
    return undefined;
  });
  live(directory, fs, steps, (what) => {
    during = what;
  });
  return calls;
}

/** The call of this number fails, and `times` - 1 more of its operation after it. */
function faultAt(at: number, times: number, answer: ReturnType<Fault>): Fault {
  let calls = 0;
  let operation = '';
  let left = times;
  return (name) => {
    const call = calls++;
    if (call === at) operation = name;
    return call >= at && name === operation && left-- > 0 ? answer : undefined;
  };
}

/** Which files there are after one fault. */
function namesAfterOne({ operation, during }: Call, code: string): string[] {
  const [what, file] = during.split(' ');
  if (what === 'start') return []; // refused with one line, nothing left behind
  if (what === 'begin') return NAMES.filter((name) => name !== file); // recording goes on in the file before
  const isTrusted = operation === 'write' && code !== 'EBADF';
  // Cut back and written again, or given up for a new one.
  return what === 'group' && !isTrusted ? [...NAMES, `${file}.1`].sort() : NAMES;
}

test('one call fails, any, with any error: (fault, where) → files', () =>
  inDirectory(async (root) => {
    const calls = callsOf(join(root, 'plain'));
    assert.ok(calls.length > 50);
    for (const [at, call] of calls.entries())
      for (const code of CODES)
        for (const isDone of [false, true]) {
          // What was made but is not known to be cannot be cleaned up either.
          if (isDone && call.operation === 'create') continue;
          const directory = join(root, 'life');
          const fault = faultAt(at, 1, isDone ? { after: code } : code);
          const where = `${call.operation} of call ${at}, ${call.during}: ${code}${isDone ? ', though done' : ''}`;
          const { acknowledged, started } = live(directory, faultyFileSystem(fault));
          assert.equal(started, call.during !== 'start', where);
          assert.equal(acknowledged, started ? 5 : 0, where);
          const names = await checkAfterwards(directory, acknowledged).catch((error) => {
            throw new Error(where, { cause: error });
          });
          assert.deepEqual(names, namesAfterOne(call, code), where);
          rmSync(directory, { recursive: true, force: true });
        }
  }, fastFolder));

test('an operation goes on failing, from any call on, then the process is killed', () =>
  inDirectory(async (root) => {
    const calls = callsOf(join(root, 'plain'));
    for (const [at, { operation, during }] of calls.entries())
      for (const code of ['EIO', 'EBADF'] as const)
        for (const times of [3, Number.POSITIVE_INFINITY]) {
          const directory = join(root, 'life');
          const { acknowledged } = live(directory, faultyFileSystem(faultAt(at, times, code)));
          if (times === 3 && during !== 'start') assert.equal(acknowledged, 5);
          await checkAfterwards(directory, acknowledged).catch((error) => {
            throw new Error(`${operation} of call ${at}, ${during}: ${times} times ${code}`, {
              cause: error,
            });
          });
          rmSync(directory, { recursive: true, force: true });
        }
  }, fastFolder));

test('a disk that is full after any number of bytes', (t) =>
  inDirectory(async (root) => {
    t.mock.method(Date, 'now', () => START_US / 1000); // or closing times differ
    const directory = join(root, 'life');
    const lengths: number[] = [];
    const write: LogFileSystem['write'] = (file, bytes, offset, length, position) => {
      lengths.push(length);
      return realFileSystem.write(file, bytes, offset, length, position);
    };
    live(directory, { ...realFileSystem, write }, SHORT_LIFE);
    const contents = contentsOf(directory);
    let same = 0;
    for (const [at, length] of lengths.entries())
      for (let bytes = 0; bytes < length; bytes++) {
        rmSync(directory, { recursive: true, force: true });
        let writes = 0;
        const fs = faultyFileSystem((operation) =>
          operation === 'write' && writes++ === at ? bytes : undefined,
        );
        const { acknowledged } = live(directory, fs, SHORT_LIFE);
        if (contentsOf(directory) === contents) same++;
        else
          await checkAfterwards(directory, acknowledged).catch((error) => {
            throw new Error(`${bytes} bytes of write ${at}`, { cause: error });
          });
      }
    assert.ok(same > 500, `${same}: a group that is cut back is written as if nothing had been`);
  }, fastFolder));

/** Names and bytes of all files, to compare. */
function contentsOf(directory: string): string {
  if (!existsSync(directory)) return '';
  return namesIn(directory)
    .map((name) => `${name} ${readFileSync(join(directory, name), 'latin1')}`)
    .join('\n');
}

test('files or their directory deleted before any call: everything written later is there', () =>
  inDirectory(async (root) => {
    const calls = callsOf(join(root, 'plain'));
    for (const [at, { operation, during }] of calls.entries())
      for (const deletes of ['files', 'directory'] as const) {
        const directory = join(root, 'life');
        let [call, group, deletedDuring] = [0, 0, 0];
        const fs = faultyFileSystem(() => {
          if (call++ !== at) return undefined;
          deletedDuring = group;
          if (deletes === 'directory') rmSync(directory, { recursive: true, force: true });
          else if (existsSync(directory))
            for (const name of namesIn(directory)) rmSync(join(directory, name));
          return undefined;
        });
        const { acknowledged } = live(directory, fs, LIFE, (what) => {
          if (what.startsWith('group')) group++;
        });
        // The group that was being written, too, when it was synced already.
        const from = [1, 3, 4, 5, 6][deletedDuring];
        await checkAfterwards(directory, acknowledged, from).catch((error) => {
          throw new Error(`${deletes} before ${operation} of call ${at}, ${during}`, { cause: error });
        });
        rmSync(directory, { recursive: true, force: true });
      }
  }, fastFolder));

/** Open a file under a descriptor number that is free. */
function openAs(path: string, wantedFd: number): number {
  const lower: number[] = [];
  for (;;) {
    const fd = openSync(path, 'r+');
    if (fd < wantedFd) lower.push(fd);
    else {
      lower.forEach((other) => void closeSync(other));
      assert.equal(fd, wantedFd);
      return fd;
    }
  }
}

test('a descriptor that somebody closes before any call, and another file gets its number: that one is never touched', () =>
  inDirectory(async (root) => {
    const calls = callsOf(join(root, 'plain'));
    for (const [at, { operation, during }] of calls.entries()) {
      const directory = join(root, 'life');
      const stranger = join(root, 'stranger');
      writeFileSync(stranger, 'mine');
      let call = 0;
      let open: LogFile | undefined;
      let strangerFd = -1;
      const create: LogFileSystem['create'] = (path) => {
        open = realFileSystem.create(path);
        return open;
      };
      const fs = faultyFileSystem(
        () => {
          if (call++ !== at || open === undefined || strangerFd >= 0) return undefined;
          closeSync(open.fd);
          strangerFd = openAs(stranger, open.fd);
          return undefined;
        },
        { ...realFileSystem, create },
      );
      const { acknowledged } = live(directory, fs);
      const where = `${operation} of call ${at}, ${during}`;
      await checkAfterwards(directory, acknowledged).catch((error) => {
        throw new Error(where, { cause: error });
      });
      assert.equal(readFileSync(stranger, 'utf8'), 'mine', where);
      rmSync(directory, { recursive: true, force: true });
      if (strangerFd < 0) continue;
      assert.equal(statSync(`/proc/self/fd/${strangerFd}`).size, 4, `${where}: still open`);
      closeSync(strangerFd);
    }
  }, fastFolder));
