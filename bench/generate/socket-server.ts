/** Accepts TCP on the port given as its argument, for whatever address, and closes each connection at once in order. */
import { once } from 'node:events';
import net from 'node:net';

const server = net.createServer((socket) => {
  socket.on('error', () => {}); // the client says what went wrong
  socket.end();
  socket.resume();
});
server.listen({ host: '0.0.0.0', port: Number(process.argv[2]), backlog: 4096 });
await once(server, 'listening');
process.on('disconnect', () => process.exit());
process.send!('ready');
