/**
 * Loads koffi and the C library, or says why this machine cannot capture: what `-V` asks for, apart so that
 * it answers at once.
 */
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { SystemFailure } from '../errors.js';

type Koffi = typeof import('koffi');

export interface LoadedLibc {
  readonly koffi: Koffi;
  readonly library: ReturnType<Koffi['load']>;
}

/** Architectures with the structure layouts of socket.ts: 64 bit, little-endian, asm-generic numbers. */
const SUPPORTED_ARCHITECTURES: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64'];

/** Whether this machine can capture, and in one line why not. `available` loads koffi (7 ms). */
export function captureSupport(): { available: boolean; reason: string } {
  try {
    loadLibc();
    return { available: true, reason: '' };
  } catch (error) {
    return { available: false, reason: (error as Error).message };
  }
}

/** @throws SystemFailure ENOTSUP */
export function loadLibc(): LoadedLibc {
  if (process.platform !== 'linux') {
    throw unsupported(`capturing needs Linux; this is ${process.platform}; reading logs works here`);
  }
  if (!SUPPORTED_ARCHITECTURES.includes(process.arch) || endianness() !== 'LE') {
    throw unsupported(`capturing is not supported on this CPU (${process.arch}); reading logs works here`);
  }
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    return { koffi, library: koffi.load(null) };
  } catch (error) {
    const why = (error as Error).message.split('\n', 1)[0];
    throw unsupported(`the optional package koffi cannot be loaded: ${why} (npm install koffi)`, error);
  }
}

function unsupported(message: string, cause?: unknown): SystemFailure {
  return new SystemFailure('load libc', 'ENOTSUP', message, { cause });
}
