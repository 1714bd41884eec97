/** This recorder, and its ancestor, which takes the same options. */

import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { DamageError } from '../../src/base/errors.js';
import { recorderName } from '../../src/base/version.js';
import { AF_INET, type EventBatch, RecordKind } from '../../src/event/batch.js';
import { openLog } from '../../src/log/read/open.js';
import { visibleNames } from '../../test/lab/folder.js';
import { ObservedProcess } from '../../test/lab/process.js';
import { emptyFlow, type Flow } from '../generate/flow.js';
import { type KnownLoss, type Program, type Recording, type Site, warned } from './program.js';
import { PROTOCOLS, versionLine } from './text.js';

const FILE = 'recorded.ct';

export class Ctrecorder implements Program {
  readonly name = 'ctrecorder';

  version(): string {
    return recorderName();
  }

  obstacle(): undefined {
    return undefined;
  }

  async start(site: Site): Promise<Recording> {
    return {
      process: await ObservedProcess.recorder(site.namespace, options(site), { cwd: site.folder }),
      readBack: (take) => readLogs(site.output, take),
      knownLoss: ({ stderr }): KnownLoss => {
        // Its last log line is the summary; a recorder that was killed has none.
        const lost = [...stderr.matchAll(/"lost":(\d+)/g)].at(-1)?.[1];
        return lost === undefined ? { note: 'no summary' } : { events: Number(lost) };
      },
    };
  }
}

/** The C program ctrecorder 0.1.6, where the user has one. */
export class Ancestor implements Program {
  readonly name = 'ancestor';

  constructor(readonly command: string | undefined) {}

  version(): string {
    return `${this.command}: ${versionLine(this.command!, ['-V'])}`;
  }

  obstacle(): string | undefined {
    if (this.command === undefined || this.command === '') return 'not given (ANCESTOR=PATH)';
    try {
      accessSync(this.command, constants.X_OK);
      return undefined;
    } catch {
      return `${this.command} is no program (ANCESTOR=PATH)`;
    }
  }

  async start(site: Site): Promise<Recording> {
    return {
      process: await ObservedProcess.start(site.namespace, this.command!, options(site), {
        cwd: site.folder,
      }),
      readBack: (take) => readLogs(site.output, take),
      knownLoss: ({ stdout, stderr }): KnownLoss => {
        return warned(`${stdout}${stderr}`.match(/overrun|ENOBUFS|No buffer space/gi)?.length ?? 0);
      },
    };
  }
}

function options({ output, bufferKiB, proto }: Site): string[] {
  const protocol = Object.keys(PROTOCOLS).find((name) => PROTOCOLS[name] === proto)!;
  return ['-C', '-F', '-f', path.join(output, FILE), '-b', String(bufferKiB), '-p', protocol];
}

/** Every event of every file in the folder. What is damaged is passed over, as a listing does. */
async function readLogs(folder: string, take: (isStart: boolean, flow: Flow) => void): Promise<void> {
  for (const name of visibleNames(folder)) {
    try {
      const source = await openLog(path.join(folder, name));
      try {
        for await (const item of source.items()) if (item.type === 'records') takeBatch(item.batch, take);
      } finally {
        await source.close();
      }
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
    }
  }
}

function takeBatch(batch: EventBatch, take: (isStart: boolean, flow: Flow) => void): void {
  const { values } = batch.addresses4;
  const flow = emptyFlow();
  for (let row = 0; row < batch.count; row++) {
    if (batch.family[row] !== AF_INET) continue;
    flow.proto = batch.proto[row];
    flow.origSrc = values[batch.origSrc[row]];
    flow.origSrcPort = batch.origSrcPort[row];
    flow.origDst = values[batch.origDst[row]];
    flow.origDstPort = batch.origDstPort[row];
    flow.replySrc = values[batch.replySrc[row]];
    flow.replySrcPort = batch.replySrcPort[row];
    flow.replyDst = values[batch.replyDst[row]];
    flow.replyDstPort = batch.replyDstPort[row];
    take(batch.kind[row] === RecordKind.start, flow);
  }
}
