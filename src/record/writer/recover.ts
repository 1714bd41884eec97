/**
 * What a recorder finds at its start: who it is, which files an earlier run left live, and where the chain
 * ends. Its own live files that nobody has locked are recovered (recover-file.ts). Files of other recorders
 * are left alone and named.
 */
import type { LogFileSystem } from '../../base/disk/disk.js';
import { standsAt } from '../../base/disk/same-file.js';
import { DamageError, SystemFailure } from '../../base/errors.js';
import type { Clock } from '../../base/time/clock.js';
import type { EarlierRecording, FileEnd, PreviousFile } from '../../log/format/file-meta.js';
import { FILE_PREAMBLE_BYTES } from '../../log/format/format.js';
import { filePreamble } from '../../log/format/frame.js';
import {
  type CataloguedFile,
  findTip,
  inOrder,
  lookAtFiles,
  type OwnFile,
  ownFiles,
} from '../../log/read/catalogue.js';
import type { Recorder } from '../../log/read/ownership.js';
import { type IdentityOptions, settleIdentity } from './identity.js';
import { recoverFile } from './recover-file.js';
import type { Emit } from './writer-task.js';

export interface Found {
  readonly recorder: Recorder;
  /** What the next file continues; undefined when this is the first. */
  readonly earlier: EarlierRecording | undefined;
}

/**
 * Settle the identity, recover what is left behind, find the end of the chain. What cannot be recovered is
 * told and left as it is: it must not keep anybody from recording.
 */
export async function findEarlier(
  options: IdentityOptions,
  fs: LogFileSystem,
  emit: Emit,
  clock: Clock,
): Promise<Found> {
  const files = [...lookAtFiles(fs, options.template)];
  const recorder = settleIdentity(fs, options, files, emit);
  const own = ownFiles(files, recorder);
  const unreadableUs = tellOfUnreadable(fs, files, emit);
  const postponed: { readonly file: OwnFile; readonly end: FileEnd }[] = [];
  const finished: OwnFile[] = own.filter(({ isLive }) => !isLive);
  /** Until when recovered files saw events, by path: their own gap says what comes after. */
  const seenUntilUs = new Map<string, number>();
  const claims = new Map<string, PreviousFile>();
  for (const { meta } of own) if (meta.previous !== undefined) claims.set(meta.previous.chain, meta.previous);
  for (const file of own.filter(({ isLive }) => isLive)) {
    try {
      const hasLater = own.at(-1) !== file;
      const recovered = await recoverFile(fs, file.path, claims, hasLater, emit, clock);
      if (recovered === undefined) continue;
      if (recovered.path === file.path) postponed.push({ file, end: recovered.end });
      else {
        finished.push({ ...file, path: recovered.path, isLive: false });
        seenUntilUs.set(recovered.path, recovered.end.seenUntilUs);
      }
    } catch (error) {
      if (!(error instanceof SystemFailure || error instanceof DamageError)) throw error;
      const why = error instanceof DamageError ? error.what : error.message;
      emit({ type: 'log', level: 'error', message: `${file.path}: left behind and not recovered: ${why}` });
    }
  }
  const fileNumber = own.reduce((highest, { meta }) => Math.max(highest, meta.fileNumber ?? 0), 0);
  const tip = findTip(fs, finished.sort(inOrder));
  // A file that could not be closed for lack of room is continued where it is durable.
  const last = [...postponed.filter(({ end }) => !claims.has(end.lastFile.chain)), ...(tip ? [tip] : [])]
    .sort((a, b) => inOrder(a.file, b.file))
    .at(-1);
  if (last !== undefined) {
    const { end, file } = last;
    const seenUs = seenUntilUs.get(file.path) ?? end.seenUntilUs;
    return { recorder, earlier: { lastFile: end.lastFile, seenUntilUs: seenUs, fileNumber } };
  }
  if (unreadableUs === undefined) return { recorder, earlier: undefined };
  return { recorder, earlier: { lastFile: undefined, seenUntilUs: unreadableUs, fileNumber } };
}

/**
 * A recorder that died before its header was durable leaves a name, and nothing in the file or what the disk
 * made of it. Nobody can say whose it is; that somebody recorded is known. Answers when, microseconds since
 * the epoch; undefined without any.
 */
function tellOfUnreadable(
  fs: LogFileSystem,
  files: readonly CataloguedFile[],
  emit: Emit,
): number | undefined {
  let lastUs: number | undefined;
  for (const { path, isLive, meta, facts } of files) {
    if (!isLive || meta !== undefined) continue;
    lastUs = Math.max(lastUs ?? 0, Math.floor(facts.modifiedMs * 1000));
    if (removeUnbegun(fs, path, emit)) continue;
    const what = 'was left behind, and its header cannot be read; it is left unchanged';
    emit({
      type: 'log',
      level: 'warn',
      message: `${path}: ${what}, "ctrecorder repair" copies what is intact`,
    });
  }
  return lastUs;
}

/** Whether there was nothing in it but the beginning of a preamble, and nobody had it locked. */
function removeUnbegun(fs: LogFileSystem, path: string, emit: Emit): boolean {
  try {
    const file = fs.open(path);
    try {
      const start = new Uint8Array(FILE_PREAMBLE_BYTES + 1);
      const size = fs.read(file, start, 0, start.length, 0);
      const isUnbegun = Buffer.from(filePreamble()).subarray(0, size).equals(start.subarray(0, size));
      if (!isUnbegun || !fs.lock(file) || !standsAt(fs, path, file)) return false;
      fs.remove(path);
      emit({ type: 'log', level: 'warn', message: `${path}: was left behind empty; removed` });
      return true;
    } finally {
      fs.close(file);
    }
  } catch (error) {
    if (!(error instanceof SystemFailure)) throw error; // somebody else's, or gone: left as it is
    return false;
  }
}
