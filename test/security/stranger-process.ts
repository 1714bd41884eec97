/**
 * Somebody who sends a recorder what looks like events of the kernel: PORT COUNT USER. Answers the errno's
 * name of a send that the kernel refused on standard output.
 */
import netlink from 'netlink';
import { FloodBatch } from '../lab/flood.js';

const NETLINK_NETFILTER = 12;
const [port, count, user] = process.argv.slice(2).map(Number);

if (user !== 0) process.setuid!(user);
const socket = new netlink.RawNetlinkSocket(NETLINK_NETFILTER, {
  messagePeeking: false,
  msgBufferSize: 4096,
  recvBufferSize: 65536,
  sendBufferSize: 65536,
});
const batch = new FloodBatch('create', { count }, 1);
let refused: string | undefined;
for (let i = 0; i < count; i++)
  await new Promise<void>((resolve) => {
    // The message's bytes are the next one's as well.
    socket.send(Buffer.from(batch.fill(i, 1)), { port }, (error) => {
      refused ??= error?.code ?? error?.message;
      resolve();
    });
  });
socket.close();
if (refused !== undefined) process.stdout.write(refused);
