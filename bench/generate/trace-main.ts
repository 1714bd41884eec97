/**
 * node dist/bench/generate/trace-main.js --seed 1 --events 2000000 --rate 5000 --out FILE.pcap|FILE.ct [--out
 * ...] Writes a synthetic trace: .pcap for `--replay`, .ct the ancestor's format.
 */
import { parseArgs } from 'node:util';
import { generateTrace, traceDefaults } from './trace.js';
import { CaptureWriter, LegacyWriter, type TraceWriter } from './writers.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(traceDefaults.seed) },
    events: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: String(traceDefaults.rate) },
    out: { type: 'string', multiple: true },
  },
});

const numbers = { seed: Number(values.seed), events: Number(values.events), rate: Number(values.rate) };
const files = values.out ?? [];
if (files.length === 0 || !(numbers.events > 0) || !(numbers.rate > 0) || !Number.isInteger(numbers.seed)) {
  console.error(
    'usage: trace-main.js --seed 1 --events 2000000 --rate 5000 --out FILE.pcap|FILE.ct [--out ...]',
  );
  process.exit(2);
}
const writers = files.map(writerFor);
generateTrace(numbers, (event) => {
  for (const writer of writers) writer.write(event);
});
for (const writer of writers) writer.close();

function writerFor(path: string): TraceWriter {
  return path.endsWith('.pcap') ? new CaptureWriter(path) : new LegacyWriter(path);
}
