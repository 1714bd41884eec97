/**
 * node dist/bench/generate/loop-main.js --events 100000000 [--pass-events 400000] [--rate 5000] [--seed 1]: a
 * trace that is repeated until so many events are written, as a capture on standard output, for `--replay -`.
 * Nothing is written to a disk, so it may be as long as one likes. Time goes on: each pass begins where the
 * one before ended.
 */
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { errnoCode } from '../../src/base/errors.js';
import { LINKTYPE_NETLINK } from '../../src/record/replay/packet.js';
import { PCAP_HEADER_BYTES, writePcapHeader } from '../../src/record/replay/pcap.js';
import { generateTrace, traceDefaults } from './trace.js';
import { PACKET_BYTES_MAX, writePacket } from './writers.js';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    'pass-events': { type: 'string', default: '400000' },
    rate: { type: 'string', default: String(traceDefaults.rate) },
    seed: { type: 'string', default: String(traceDefaults.seed) },
  },
});
const events = Number(values.events);
const passEvents = Math.min(events, Number(values['pass-events']));
const [rate, seed] = [Number(values.rate), Number(values.seed)];

const WRITE_BYTES = 1024 * 1024;
const bytes = new Uint8Array(passEvents * PACKET_BYTES_MAX);
const view = new DataView(bytes.buffer);
const packets = new Uint32Array(passEvents + 1);

let written = 0;
let lastUs: number = traceDefaults.beginUs;
generateTrace({ events: passEvents, rate, seed }, (event) => {
  packets[written + 1] = packets[written] + writePacket(event, view, bytes, packets[written]);
  written++;
  lastUs = event.timeUs;
});
// Whole seconds, so that only one word of a packet changes.
const passSeconds = Math.ceil((lastUs - traceDefaults.beginUs) / 1e6) + 1;

const header = new Uint8Array(PCAP_HEADER_BYTES);
writePcapHeader(new DataView(header.buffer), 65536, LINKTYPE_NETLINK);
write(header, 0, header.length);
for (let left = events; left > 0; left -= passEvents) {
  const count = Math.min(left, passEvents);
  write(bytes, 0, packets[count]);
  for (let i = 0; i < passEvents; i++) {
    const at = packets[i];
    view.setUint32(at, view.getUint32(at, true) + passSeconds, true);
  }
}

/** Whoever reads may end before. */
function write(from: Uint8Array, at: number, end: number): void {
  try {
    while (at < end) at += writeSync(1, from, at, Math.min(WRITE_BYTES, end - at));
  } catch (error) {
    if (errnoCode(error) !== 'EPIPE') throw error;
    process.exit();
  }
}
