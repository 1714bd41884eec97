/** The built program, recording from captures and listing. */
import assert from 'node:assert/strict';
import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Finished, program } from '../../cli/command-line.js';

/** A capture of real traffic through a gateway: 231 connections, see its README. */
export const demo = 'test/fixtures/captures/demo.pcap';
export const UTC = { ...process.env, TZ: 'UTC' };
/** Levels of the program's log. */
export const WARN = 40;
export const FATAL = 60;

export interface RunOptions extends SpawnSyncOptions {
  /** Of another copy of the program. */
  readonly entry?: string;
}

/** Run to the end, in UTC. */
export function run(args: readonly string[], options: RunOptions = {}): Finished {
  const { entry = program, ...rest } = options;
  const { status, stdout, stderr } = spawnSync(process.execPath, [entry, ...args], {
    env: UTC,
    timeout: 120_000,
    maxBuffer: 1 << 28,
    ...rest,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

/** Record a capture into `folder`. */
export function record(capture: string, folder: string, ...options: string[]): Finished {
  return run(['-C', '--replay', capture, '-p', 'all', '-f', join(folder, 'x-%H%M%S.ct'), ...options]);
}

/** What the program logged (JSON lines) of a level and above. */
export function logged(stderr: string, level = 0): string[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { level: number; msg: string })
    .filter((entry) => entry.level >= level)
    .map((entry) => entry.msg);
}

export function assertEndedWell({ code, stdout, stderr }: Finished, events: number): void {
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '');
  const counts = `${events} messages received, ${events} events recorded, 0 lost by the kernel`;
  assert.match(logged(stderr).at(-1)!, new RegExp(`^done: ${counts}, \\d+ bytes in \\d+ files?$`));
}

export function linesOf(file: string): string[] {
  const { code, stdout, stderr } = run(['-L', '-H', '-f', file]);
  assert.equal(code, 0, stderr);
  return stdout.split('\n').slice(0, -1);
}

/** Lines of all files of a folder, in order of their names. */
export function linesIn(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => linesOf(join(folder, name)));
}
