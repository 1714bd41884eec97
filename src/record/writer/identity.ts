/**
 * Which recorder this is. Names and paths do not tell: two gateways may write to one directory, a container
 * has another host name at each start, an archive may be moved. So an identity is made once and stands in
 * every header. The small file beside the logs only saves the search, and tells commands what is held; when
 * it is lost it is made again from the newest file's header.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { counted } from '../../base/counted.js';
import type { LogFileSystem } from '../../base/disk/disk.js';
import { SystemFailure } from '../../base/errors.js';
import type { Host } from '../../base/process/host.js';
import { isIdentity } from '../../log/format/file-meta.js';
import { literalDirectory } from '../../log/format/names.js';
import { type CataloguedFile, inOrder, type OwnFile } from '../../log/read/catalogue.js';
import { IDENTITY_FILE } from '../../log/read/holds.js';
import { type Recorder, sameProtocols } from '../../log/read/ownership.js';
import type { Emit, WriterOptions } from './writer-task.js';

const VERSION = 1;
const FILE_BYTES_MAX = 1024 * 1024;

/** What decides whose files are whose, as far as it is given from outside. */
export interface IdentityOptions {
  /** Absolute. */
  readonly template: string;
  readonly protocols: readonly number[] | 'all';
  readonly host: Host;
  /** `--identity`: this one, whatever the files say. */
  readonly identity?: string;
  /** Under legal hold, for commands that would replace a file. */
  readonly holds: readonly string[];
  /** Of a new identity: 32 hex digits. */
  readonly random: () => string;
  /** Keep the small file: a recording does, a replay does not. */
  readonly keep: boolean;
}

export function identityOptions(template: string, options: WriterOptions): IdentityOptions {
  const { protocols, host, identity, live, retention } = options;
  return {
    template,
    protocols,
    host,
    ...(identity !== undefined && { identity }),
    holds: retention?.holds ?? [],
    random: () => randomBytes(16).toString('hex'),
    keep: live,
  };
}

interface Entry {
  readonly template: string;
  readonly protocols: readonly number[] | 'all';
  readonly hostname: string;
  readonly machineId?: string;
  readonly identity: string;
  readonly holds: readonly string[];
}

/** Settle whose files are continued, and say which are not. `files`: everything of the template's names. */
export function settleIdentity(
  fs: LogFileSystem,
  options: IdentityOptions,
  files: readonly CataloguedFile[],
  emit: Emit,
): Recorder {
  const { template, protocols, host } = options;
  const path = join(literalDirectory(template), IDENTITY_FILE);
  const store = new IdentityFile(fs, path, emit);
  const known = options.keep ? store.read() : undefined;
  const entry = known?.find((candidate) => isOf(candidate, options));
  const identity = options.identity ?? entry?.identity ?? identityInFiles(files, options) ?? options.random();
  const recorder: Recorder = { template, protocols, hostname: host.hostname, identity };
  tellOfOthers(files, recorder, options, emit);
  if (known !== undefined) {
    const wanted: Entry = {
      template,
      protocols,
      hostname: host.hostname,
      ...(host.machineId !== undefined && { machineId: host.machineId }),
      identity,
      holds: options.holds,
    };
    if (JSON.stringify(entry) !== JSON.stringify(wanted))
      store.write([...known.filter((candidate) => candidate !== entry), wanted]);
  }
  return recorder;
}

function isOf(
  of: Omit<Entry, 'identity' | 'holds'>,
  { template, protocols, host }: IdentityOptions,
): boolean {
  return (
    of.template === template &&
    sameProtocols(of.protocols, protocols) &&
    of.hostname === host.hostname &&
    of.machineId === host.machineId
  );
}

/** That of the newest file of this template, these protocols and this machine. */
function identityInFiles(files: readonly CataloguedFile[], options: IdentityOptions): string | undefined {
  const candidates = files.filter(
    (file): file is OwnFile => file.meta?.identity !== undefined && isOf(file.meta, options),
  );
  return candidates.sort(inOrder).at(-1)?.meta.identity;
}

/** Files that look like this recorder's and are not are left alone, and named once. */
function tellOfOthers(
  files: readonly CataloguedFile[],
  { identity }: Recorder,
  { host, template, protocols }: IdentityOptions,
  emit: Emit,
): void {
  const others = new Map<string, number>();
  let adopted = 0;
  for (const { meta } of files) {
    // A recorder of other protocols may well have a template of the same shape.
    if (meta === undefined || meta.identity === identity || !sameProtocols(meta.protocols, protocols))
      continue;
    const isAdopted = meta.identity === undefined && meta.template === template;
    if (isAdopted && meta.hostname === host.hostname) adopted++;
    else {
      const whose =
        meta.identity === undefined
          ? `host ${meta.hostname}`
          : `identity ${meta.identity}, host ${meta.hostname}`;
      others.set(whose, (others.get(whose) ?? 0) + 1);
    }
  }
  for (const [whose, count] of others) {
    const way = whose.startsWith('identity') ? '; --identity continues them' : '';
    const what = `${dirname(template)}: ${counted(count, 'file')} of another recorder (${whose})`;
    emit({ type: 'log', level: 'warn', message: `${what} will not be touched or continued${way}` });
  }
  if (adopted > 0)
    emit({
      type: 'log',
      level: 'info',
      message: `identity ${identity}: continues ${counted(adopted, 'file')} without an identity`,
    });
}

/** The small file; it is never needed, so whatever is wrong with it is a line and no more. */
class IdentityFile {
  constructor(
    readonly fs: LogFileSystem,
    readonly path: string,
    readonly emit: Emit,
  ) {}

  /** Empty when there is none; undefined when what stands there is not to be written over. */
  read(): Entry[] | undefined {
    const { fs, path } = this;
    try {
      const facts = fs.stat(path);
      if (facts === undefined) return [];
      if (facts.kind !== 'file' || facts.bytes > FILE_BYTES_MAX) return this.#refuse('is not such a file');
      const file = fs.openToRead(path);
      try {
        const bytes = new Uint8Array(facts.bytes);
        const length = fs.read(file, bytes, 0, bytes.length, 0);
        return (
          entriesIn(Buffer.from(bytes.subarray(0, length)).toString('utf8')) ?? this.#refuse('is damaged')
        );
      } finally {
        fs.close(file);
      }
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      return this.#refuse(error.message);
    }
  }

  write(recorders: readonly Entry[]): void {
    const { fs, path } = this;
    const temporary = `${path}.${process.hrtime.bigint().toString(36)}`;
    const text = Buffer.from(`${JSON.stringify({ version: VERSION, recorders }, undefined, 2)}\n`);
    try {
      fs.makeDirectory(dirname(path));
      const file = fs.create(temporary);
      try {
        for (let done = 0; done < text.length; ) done += fs.write(file, text, done, text.length - done, done);
        fs.sync(file);
        fs.replace(temporary, path);
      } catch (error) {
        fs.remove(temporary);
        throw error;
      } finally {
        fs.close(file);
      }
      fs.syncDirectory(dirname(path));
    } catch (error) {
      if (!(error instanceof SystemFailure)) throw error;
      // A full disk is told by whoever cannot do without room.
      if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return;
      this.#say(`${path}: cannot be written, so the next start looks through the files: ${error.message}`);
    }
  }

  #refuse(why: string): undefined {
    this.#say(`${this.path}: ${why}; it is left unchanged, remove it to have it made again`);
    return undefined;
  }

  #say(message: string): void {
    this.emit({ type: 'log', level: 'warn', message });
  }
}

/** Undefined when the text is not what `write` writes. */
function entriesIn(text: string): Entry[] | undefined {
  try {
    const { version, recorders } = JSON.parse(text) as { version?: unknown; recorders?: unknown };
    return version === VERSION && Array.isArray(recorders) && recorders.every(isEntry)
      ? recorders
      : undefined;
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is Entry {
  const { template, hostname, identity, holds, protocols } = (value ?? {}) as Partial<Entry>;
  return (
    typeof template === 'string' &&
    typeof hostname === 'string' &&
    isIdentity(identity) &&
    (protocols === 'all' || Array.isArray(protocols)) &&
    Array.isArray(holds) &&
    holds.every((hold) => typeof hold === 'string')
  );
}
