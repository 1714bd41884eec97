/**
 * Just enough FTP for a conntrack helper to see a passive data connection: `serve ADDRESS`, and `fetch
 * ADDRESS` for the client.
 */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';

const PORT = 21;
const [mode, address] = process.argv.slice(2);

if (mode === 'serve') {
  const data = net.createServer((socket) => socket.end('a file\n')).listen(0, address);
  await once(data, 'listening');
  const { port } = data.address() as AddressInfo;
  const place = `${address.replaceAll('.', ',')},${port >> 8},${port & 255}`;
  const control = net.createServer((socket) => {
    socket.write('220 ready\r\n');
    socket.on('data', () => socket.write(`227 Entering Passive Mode (${place})\r\n`));
  });
  control.listen(PORT, address, () => console.log('ready'));
} else {
  const control = net.connect(PORT, address);
  await once(control, 'data');
  control.write('PASV\r\n');
  const [answer] = (await once(control, 'data')) as [Buffer];
  const [high, low] = /(\d+),(\d+)\)/.exec(answer.toString())!.slice(1).map(Number);
  await once(net.connect((high << 8) | low, address).resume(), 'close');
  control.end();
}
