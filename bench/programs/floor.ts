/**
 * The floor of the side-by-side: receives and discards. In C when there is a compiler, else in Node, and its
 * name says which.
 */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ObservedProcess, type ProcessExit } from '../../test/lab/process.js';
import type { KnownLoss, Program, Recording, Site } from './program.js';
import { notInstalled, versionLine } from './text.js';

const SOURCE = fileURLToPath(new URL('../../../bench/programs/floor.c', import.meta.url));
const NODE_FLOOR = fileURLToPath(new URL('floor-node.js', import.meta.url));

export class Floor implements Program {
  readonly name: string;
  readonly #command: readonly string[];
  readonly #compiler: string;

  /** `folder`: where the compiled program may be kept while the benchmark runs. */
  constructor(folder: string) {
    const compiled = notInstalled('gcc') === undefined;
    this.name = compiled ? 'floor (C)' : 'floor (Node)';
    this.#compiler = compiled ? versionLine('gcc', ['--version']) : `Node ${process.version}`;
    if (!compiled) {
      this.#command = [process.execPath, NODE_FLOOR];
      return;
    }
    const program = path.join(folder, 'floor');
    execFileSync('gcc', ['-O2', '-Wall', '-o', program, SOURCE], { stdio: ['ignore', 'ignore', 'inherit'] });
    this.#command = [program];
  }

  version(): string {
    return `receives and discards, ${this.#compiler}`;
  }

  obstacle(): undefined {
    return undefined;
  }

  async start({ namespace, bufferKiB }: Site): Promise<Recording> {
    const [command, ...args] = [...this.#command, String(bufferKiB)];
    return {
      process: await ObservedProcess.start(namespace, command, args),
      received: (exit) => counted(exit, 'received'),
      knownLoss: (exit): KnownLoss => ({ events: counted(exit, 'dropped') }),
    };
  }
}

function counted({ stdout }: ProcessExit, key: string): number {
  return Number(new RegExp(`${key}=(\\d+)`).exec(stdout)?.[1] ?? 0);
}
