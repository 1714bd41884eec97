/**
 * The injector's own process, inside the namespace: takes one request at a time over IPC and sends it to
 * ctnetlink.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import netlink from 'netlink';
import { FloodBatch, flushMessage } from './flood.js';
import type { InjectRequest, InjectResult } from './inject.js';

const NETLINK_NETFILTER = 12;
const NLMSG_ERROR = 2;
/**
 * Messages in one send. Each refused one is answered by about 1.3 KiB of socket buffer, and the package
 * aborts the process when the buffer (208 KiB unless the machine says otherwise) overruns: so even a batch
 * refused as a whole must fit.
 */
const BATCH_MESSAGES = 100;

const socket = new netlink.RawNetlinkSocket(NETLINK_NETFILTER, {
  messagePeeking: false,
  msgBufferSize: 4096,
  recvBufferSize: 1 << 20,
  sendBufferSize: 1 << 20,
});

let refused = 0;
let firstRefusal = '';
let awaitedSequence = 0;
let answered: (() => void) | undefined;
socket.on('message', (bytes) => {
  if (bytes.readUInt16LE(4) !== NLMSG_ERROR) return;
  const sequence = bytes.readUInt32LE(8);
  const errno = bytes.readInt32LE(16);
  if (errno !== 0 && refused++ === 0) firstRefusal = `index ${sequence - 1}: ${getSystemErrorName(errno)}`;
  if (sequence === awaitedSequence) answered?.();
});
socket.on('error', (error) => {
  throw error;
});

/** Send messages and wait for the answer to the last one. */
function exchange(messages: Buffer, lastSequence: number): Promise<void> {
  awaitedSequence = lastSequence;
  return new Promise((resolve) => {
    answered = resolve;
    socket.send(messages);
  });
}

async function perform(request: InjectRequest): Promise<InjectResult> {
  refused = 0;
  firstRefusal = '';
  const startMs = performance.now();
  if (request.operation === 'flush') await exchange(flushMessage(), 0);
  else await sendPlan(request, startMs);
  return { refused, firstRefusal, seconds: (performance.now() - startMs) / 1000 };
}

async function sendPlan(request: InjectRequest & { operation: 'create' | 'remove' }, startMs: number) {
  const { operation, plan, ratePerSecond } = request;
  const batch = new FloodBatch(operation, plan, BATCH_MESSAGES);
  const first = plan.first ?? 0;
  for (let sent = 0; sent < plan.count; ) {
    let count = Math.min(BATCH_MESSAGES, plan.count - sent);
    if (ratePerSecond !== undefined) {
      const dueCount = Math.floor(((performance.now() - startMs) / 1000) * ratePerSecond) + 1;
      count = Math.min(count, dueCount - sent);
      if (count <= 0) {
        await sleep(1);
        continue;
      }
    }
    await exchange(batch.fill(first + sent, count), first + sent + count);
    sent += count;
  }
}

process.on('message', async (request: InjectRequest) => process.send!(await perform(request)));
process.on('disconnect', () => process.exit());
process.send!('ready');
