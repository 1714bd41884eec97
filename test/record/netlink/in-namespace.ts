/**
 * Tests of the real kernel run in a network namespace of their own: the test file starts itself again below
 * `unshare --net`. The namespace has no name and is gone with the process, however that ends.
 */
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bindNetlink, closeDescriptor, receiveNetlink, sendNetlink } from '../../../src/base/libc/socket.js';
import { openNetfilterSocket } from '../../../src/record/netlink/netfilter.js';
import { FloodBatch, type FloodPlan, flushMessage } from '../../lab/flood.js';
import { raiseConntrackLimits } from '../../lab/limits.js';

const INSIDE = 'CTRECORDER_TEST_NAMESPACE';
const BATCH_MESSAGES = 50;

/**
 * Register `tests` when already inside, else one test that runs this file inside, with room for `entries` in
 * the conntrack table. Skips only without root or off Linux.
 */
export function inNamespace(fileUrl: string, tests: () => void, entries = 0): void {
  if (process.env[INSIDE] !== undefined) {
    tests();
    return;
  }
  const able = process.platform === 'linux' && process.getuid?.() === 0;
  const skip = able || process.env.CI === 'true' ? false : 'needs root on Linux';
  test('in a network namespace of its own', { skip }, async () => {
    const env: NodeJS.ProcessEnv = { ...process.env, [INSIDE]: '1' };
    delete env.NODE_TEST_CONTEXT; // else the inner run reports to nobody
    const release = raiseConntrackLimits(entries);
    const args = [
      '--net',
      process.execPath,
      ...process.execArgv,
      '--test-reporter=spec',
      fileURLToPath(fileUrl),
    ];
    try {
      await promisify(execFile)('unshare', args, { env, timeout: 120_000 });
    } catch (error) {
      const { stdout, message } = error as Error & { stdout: string };
      throw new Error(`${message}\n${stdout}`);
    } finally {
      release();
    }
  });
}

/**
 * Makes and ends conntrack entries of this namespace synchronously: when a call returns, the events have been
 * sent.
 */
export class SyncInjector {
  readonly #fd = openNetfilterSocket();

  constructor() {
    bindNetlink(this.#fd);
  }

  create(plan: FloodPlan): void {
    this.#send('create', plan);
  }

  remove(plan: FloodPlan): void {
    this.#send('remove', plan);
  }

  flush(): void {
    this.exchange(flushMessage());
  }

  close(): void {
    closeDescriptor(this.#fd);
  }

  #send(operation: 'create' | 'remove', plan: FloodPlan): void {
    const batch = new FloodBatch(operation, plan, BATCH_MESSAGES);
    for (let sent = 0; sent < plan.count; sent += BATCH_MESSAGES) {
      const count = Math.min(BATCH_MESSAGES, plan.count - sent);
      this.exchange(batch.fill((plan.first ?? 0) + sent, count));
    }
  }

  /** Send requests, the last of which asks for an acknowledgement; any answer before that is a refusal. */
  exchange(messages: Uint8Array): void {
    sendNetlink(this.#fd, messages, 'inject');
    const answer = new Uint8Array(4096);
    receiveNetlink(this.#fd, answer, 'inject');
    const errno = new DataView(answer.buffer).getInt32(16, true);
    if (errno !== 0) throw new Error(`inject: the kernel refused with ${errno}`);
  }
}
