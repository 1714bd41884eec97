/** Connections of real sockets, each from a port of its own. Runs in the client's namespace, one request at a time over IPC. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';

export interface SocketRequest {
  readonly transport: 'udp' | 'tcp';
  readonly from: string;
  /** Connection i leaves from this port + i. */
  readonly firstPort: number;
  readonly to: string;
  readonly toPort: number;
  readonly count: number;
}

export interface SocketResult {
  readonly done: number;
  readonly failed: number;
  /** Empty when none failed. */
  readonly firstFailure: string;
}

const CONCURRENCY = 64;
const TIMEOUT_MS = 10_000;

/** Opened, and closed by the server in order. */
async function connect(request: SocketRequest, port: number): Promise<void> {
  const socket = net.connect({
    host: request.to,
    port: request.toPort,
    localAddress: request.from,
    localPort: port,
  });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  socket.resume(); // the end is seen only by who reads
  await once(socket, 'close');
}

/** One datagram that nobody answers. */
async function send(request: SocketRequest, port: number): Promise<void> {
  const socket = dgram.createSocket('udp4');
  try {
    socket.bind(port, request.from);
    await once(socket, 'listening');
    await new Promise<void>((resolve, reject) => {
      socket.send('flood', request.toPort, request.to, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    socket.close();
  }
}

async function perform(request: SocketRequest): Promise<SocketResult> {
  const make = request.transport === 'tcp' ? connect : send;
  let next = 0;
  let done = 0;
  let firstFailure = '';
  const lane = async () => {
    while (next < request.count) {
      const port = request.firstPort + next++;
      try {
        await make(request, port);
        done++;
      } catch (error) {
        firstFailure ||= `port ${port}: ${(error as Error).message}`;
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return { done, failed: request.count - done, firstFailure };
}

process.on('message', async (request: SocketRequest) => process.send!(await perform(request)));
process.on('disconnect', () => process.exit());
process.send!('ready');
