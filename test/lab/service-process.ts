/**
 * The services behind (or before) the gateway: a page, a UDP echo, a UDP port that never answers. Each
 * remembers who asked: the other side of the NAT as it really was, a witness that owes nothing to conntrack.
 * Answers any IPC message with what it saw since the last.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import type { Seen, ServiceOptions } from './traffic.js';

const options = JSON.parse(process.argv[2]) as ServiceOptions;
let seen: Seen[] = [];

const page = (asker: string) =>
  `<title>a page</title>\nYou are ${asker}.\n${'Lorem ipsum dolor sit amet. '.repeat(30)}\n`;

for (const address of options.addresses) {
  const server = http.createServer((request, response) => {
    const { remoteAddress = '', remotePort = 0 } = request.socket;
    seen.push({ tag: (request.url ?? '/').slice(1), address: remoteAddress, port: remotePort });
    response.end(page(`${remoteAddress} port ${remotePort}`));
  });
  server.listen({ host: address, port: options.httpPort, backlog: 4096 });
  await once(server, 'listening');
  for (const [port, answers] of [
    [options.echoPort, true],
    [options.silentPort, false],
  ] as const) {
    if (port === undefined) continue;
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (bytes, from) => {
      seen.push({ tag: bytes.toString(), address: from.address, port: from.port });
      if (answers) socket.send(bytes, from.port, from.address);
    });
    socket.bind(port, address);
    await once(socket, 'listening');
  }
}

process.on('message', () => {
  process.send!(seen);
  seen = [];
});
process.on('disconnect', () => process.exit());
process.send!('ready');
