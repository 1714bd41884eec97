/** Files that a killed recorder left behind, and their recovery. */
import { realFileSystem } from '../../../src/base/disk/file-system.js';
import { createStats } from '../../../src/record/stage/counters.js';
import { LogWriter } from '../../../src/record/writer/writer.js';
import { Events, eventBlock, killable, options, recoverFiles, START_US } from './writer-helper.js';

/** Recover what is left behind of a template. */
export function recover(template: string, events = new Events(), protocols: readonly number[] = [6]) {
  return recoverFiles(template, protocols, realFileSystem, events.emit);
}

/** Leave a live file with blocks as a killed recorder does: not closed, not locked. */
export function leaveBehind(
  template: string,
  from: number,
  to: number,
  timeUs = START_US,
  identity = 'test',
): string {
  const { fs, kill } = killable();
  const writer = new LogWriter(options(template, { identity }), createStats(), () => {}, fs);
  writer.open(timeUs);
  write(writer, from, to);
  kill();
  return writer.path;
}

/** Append blocks, and make them durable. */
export function write(writer: LogWriter, from: number, to: number): void {
  for (let sequence = from; sequence <= to; sequence++) {
    const { bytes, filter } = eventBlock(sequence);
    writer.append(bytes, 0, filter);
  }
  writer.commit();
}
