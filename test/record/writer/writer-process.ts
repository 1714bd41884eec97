/**
 * A recorder's file side as a process of its own, for tests that kill it: writes blocks for ever, rotates now
 * and then, says on standard output what is durable. Argument: the name template.
 */
import { writeSync } from 'node:fs';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { eventBlock, options, START_US } from './writer-helper.js';

const writer = new LogWriter(options(process.argv[2]), createStats(), () => {});
writer.open(START_US);
for (let sequence = 1; ; sequence++) {
  const { bytes, filter } = eventBlock(sequence, 200);
  writer.append(bytes, 0, filter);
  if (sequence % 3 !== 0) continue;
  writer.commit();
  writeSync(1, `${sequence}\n`);
  if (sequence % 300 === 0) writer.rotate(START_US + (sequence / 300) * 60e6);
}
