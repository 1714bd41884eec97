/** Reading back what text loggers wrote: one event a line. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Flow, parseAddress } from '../generate/flow.js';

export const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, TCP: 6, UDP: 17 };

/**
 * How a format writes an event: a pattern with these groups, and which of the lines that fit it are starts.
 */
export interface LineFormat {
  /** Groups: proto (name or number), src, dst, sport, dport, rsrc, rdst, rsport, rdport. */
  readonly pattern: RegExp;
  /** "both": the line stands for a whole connection. */
  kindOf(line: string): 'start' | 'end' | 'both';
}

/** Every whole line of a file; a torn last line is none. A file that is not there has no lines. */
export async function* linesOf(file: string): AsyncGenerator<string, void, void> {
  if ((await stat(file).catch(() => undefined)) === undefined) return;
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'latin1', highWaterMark: 1 << 20 })) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
}

/**
 * Give every event of the file to `take`, in one object that is used again. Lines that are not events are
 * passed over.
 */
export async function readEvents(
  file: string,
  format: LineFormat,
  take: (isStart: boolean, flow: Flow) => void,
): Promise<void> {
  for await (const line of linesOf(file)) {
    const flow = parseLine(line, format);
    if (flow === undefined) continue;
    const kind = format.kindOf(line);
    if (kind !== 'end') take(true, flow);
    if (kind !== 'start') take(false, flow);
  }
}

/** The tuples of a line, undefined when it is not an event. */
export function parseLine(line: string, { pattern }: LineFormat): Flow | undefined {
  const groups = pattern.exec(line)?.groups;
  if (groups === undefined) return undefined;
  return {
    proto: PROTOCOLS[groups.proto] ?? Number(groups.proto),
    origSrc: parseAddress(groups.src),
    origSrcPort: Number(groups.sport),
    origDst: parseAddress(groups.dst),
    origDstPort: Number(groups.dport),
    replySrc: parseAddress(groups.rsrc ?? groups.dst),
    replySrcPort: Number(groups.rsport ?? groups.dport),
    replyDst: parseAddress(groups.rdst),
    replyDstPort: Number(groups.rdport),
  };
}

/** First line of what a program says about its version, whatever its exit code. */
export function versionLine(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n')[0].trim() || 'version unknown';
}

/** Why the program takes no part: it is not installed. */
export function notInstalled(program: string): string | undefined {
  try {
    execFileSync('sh', ['-c', `PATH="$PATH:/usr/sbin:/sbin" command -v ${program}`], { stdio: 'ignore' });
    return undefined;
  } catch {
    return `${program} is not installed (make bench-debs)`;
  }
}
