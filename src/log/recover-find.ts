/** Which files of a directory tree a recorder made earlier, and what they say about each other. Reads headers and ends only. */
import { closeSync, type Dirent, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DamageError, SystemFailure } from '../errors.js';
import { END_TAIL_BYTES, type EndRecord, parseEndTail } from './end-block.js';
import type { FileMeta, PreviousFile } from './file-meta.js';
import { BLOCK_HEADER_BYTES, BlockType, LIVE_SUFFIX, MAX_JSON_BYTES } from './format.js';
import { parseFrame, payloadIsIntact } from './frame.js';
import { ByteInput, FileFeed } from './input.js';
import { templatePatterns } from './names.js';
import { readMeta, readPreamble } from './reader.js';
import type { EarlierRecording } from './recover.js';
import { hex } from './segment.js';

/** Newest files looked at to find the one that the chain goes on from. */
const CANDIDATES_MAX = 16;

export interface OwnFile {
  readonly path: string;
  readonly meta: FileMeta;
}

export interface Recorder {
  /** Absolute. */
  readonly template: string;
  readonly protocols: readonly number[] | 'all';
}

/** Paths of all files whose names the template could have given, live ones apart. */
export function filesOfTemplate(template: string): { live: string[]; closed: string[] } {
  const { directories, file } = templatePatterns(template);
  let paths = ['/'];
  for (const component of directories)
    paths =
      typeof component === 'string'
        ? paths.map((path) => join(path, component))
        : paths.flatMap((path) => namesIn(path, component, (entry) => entry.isDirectory()));
  const files = paths.flatMap((path) => namesIn(path, file, (entry) => entry.isFile()));
  return {
    live: files.filter((path) => path.endsWith(LIVE_SUFFIX)),
    closed: files.filter((path) => !path.endsWith(LIVE_SUFFIX)),
  };
}

/** What the file says about itself when this recorder made it; undefined otherwise, also when it cannot be read. */
export async function ownFile(path: string, recorder: Recorder): Promise<OwnFile | undefined> {
  try {
    const input = new ByteInput(new FileFeed(path));
    try {
      await readPreamble(input, path);
      const { meta, block } = await readMeta(input, path);
      const isOwn =
        block !== undefined &&
        meta.template === recorder.template &&
        JSON.stringify(meta.protocols) === JSON.stringify(recorder.protocols);
      return isOwn ? { path, meta: meta as FileMeta } : undefined;
    } finally {
      await input.close();
    }
  } catch (error) {
    if (error instanceof DamageError || error instanceof SystemFailure) return undefined;
    throw error;
  }
}

/** The newest file that this recorder closed: the next one continues its chain. Squeezed files are passed over: they are rewritten. */
export async function lastClosed(paths: readonly string[], recorder: Recorder): Promise<OwnFile | undefined> {
  const newest = byModification(paths).slice(0, CANDIDATES_MAX);
  let last: OwnFile | undefined;
  for (const path of newest) {
    const own = await ownFile(path, recorder);
    if (own === undefined || own.meta.squeezed) continue;
    if (own.meta.openedUs > (last?.meta.openedUs ?? 0)) last = own;
  }
  return last;
}

/** What later files say about the live ones, by base name: where such a file ends for its readers. */
export async function namedPredecessors(
  live: readonly OwnFile[],
  closed: readonly string[],
  recorder: Recorder,
): Promise<Map<string, PreviousFile>> {
  const oldestMs = Math.min(...live.map(({ path }) => modifiedMs(path)));
  const successors = [...live];
  for (const path of byModification(closed, oldestMs)) {
    const own = await ownFile(path, recorder);
    if (own !== undefined) successors.push(own);
  }
  const named = new Map<string, PreviousFile>();
  for (const { meta } of successors)
    if (meta.previous !== undefined) named.set(meta.previous.file, meta.previous);
  return named;
}

/** What continues a file that was closed properly; undefined of any other. */
export function endOf(path: string): EarlierRecording | undefined {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const tail = new Uint8Array(END_TAIL_BYTES);
    readSync(fd, tail, 0, tail.length, Math.max(0, size - tail.length));
    const offset = parseEndTail(tail);
    if (offset === undefined || size - offset > MAX_JSON_BYTES) return undefined;
    const block = new Uint8Array(Math.max(size - offset, BLOCK_HEADER_BYTES));
    readSync(fd, block, 0, block.length, offset);
    const frame = parseFrame(block, 0);
    if (typeof frame !== 'object' || frame.type !== BlockType.end) return undefined;
    const payload = block.subarray(frame.headerBytes);
    if (payload.length !== frame.storedBytes || !payloadIsIntact(payload, frame)) return undefined;
    const { closedUs, lastTimeUs } = JSON.parse(Buffer.from(payload).toString()) as EndRecord;
    const lastFile = { file: basename(path), acknowledgedBytes: size, chain: hex(frame.chain) };
    return { lastFile, seenUntilUs: closedUs ?? lastTimeUs };
  } finally {
    closeSync(fd);
  }
}

/** Newest first. */
function byModification(paths: readonly string[], sinceMs = 0): string[] {
  return paths
    .map((path) => ({ path, mtimeMs: modifiedMs(path) }))
    .filter(({ mtimeMs }) => mtimeMs >= sinceMs)
    .sort((a, b) => b.mtimeMs - a.mtimeMs)
    .map(({ path }) => path);
}

/** 0 when the file is gone. */
function modifiedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Entries of a directory, none when it cannot be read: nothing of ours was made in it. */
function namesIn(directory: string, pattern: RegExp, wanted: (entry: Dirent) => boolean): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => wanted(entry) && pattern.test(entry.name))
      .map((entry) => join(directory, entry.name));
  } catch {
    return [];
  }
}
