/**
 * The client's side of the traffic: real sockets, one per connection, each from its own port, all closed in
 * the normal way.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { type TrafficRequest, type TrafficResult, tagOf } from './traffic.js';

const TIMEOUT_MS = 10_000;

async function fetchPage(request: TrafficRequest, port: number): Promise<void> {
  const socket = net.connect({
    host: request.to,
    port: request.toPort,
    localAddress: request.from,
    localPort: port,
    family: request.to.includes(':') ? 6 : 4,
  });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  // The server closes first: its side keeps TIME_WAIT, and no RST is ever sent.
  socket.write(`GET /${tagOf(request.from, port)} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n`);
  await once(socket, 'close');
  if (!answer.startsWith('HTTP/1.1 200 ')) throw new Error(`not a page: ${answer.slice(0, 40)}`);
}

async function sendDatagram(request: TrafficRequest, port: number): Promise<void> {
  const socket = dgram.createSocket(request.to.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind(port, request.from);
    await once(socket, 'listening');
    const answered =
      request.kind === 'udp-answered' && once(socket, 'message', { signal: AbortSignal.timeout(TIMEOUT_MS) });
    await new Promise<void>((resolve, reject) => {
      socket.send(tagOf(request.from, port), request.toPort, request.to, (error) =>
        error ? reject(error) : resolve(),
      );
    });
    await answered;
  } finally {
    socket.close();
  }
}

async function perform(request: TrafficRequest): Promise<TrafficResult> {
  const once = request.kind === 'http' ? fetchPage : sendDatagram;
  let failed = 0;
  let firstFailure = '';
  let next = 0;
  const lane = async () => {
    while (next < request.count) {
      const port = request.firstPort + next++;
      try {
        await once(request, port);
      } catch (error) {
        if (failed++ === 0) firstFailure = `port ${port}: ${(error as Error).message}`;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(request.concurrency, request.count) }, lane));
  return { failed, firstFailure };
}

process.on('message', async (request: TrafficRequest) => process.send!(await perform(request)));
process.on('disconnect', () => process.exit());
process.send!('ready');
