/**
 * A hash over the rows of many batches that does not depend on where one batch ends: to see that a file reads
 * back as written.
 */
import { createHash } from 'node:crypto';
import { AF_INET, type EventBatch } from '../../event/batch.js';

const ROW_BYTES = 160;

export class RowDigest {
  readonly #hash = createHash('sha256');
  #rows = new Uint8Array(0);

  add(batch: EventBatch): void {
    if (this.#rows.length < batch.count * ROW_BYTES) this.#rows = new Uint8Array(batch.capacity * ROW_BYTES);
    const view = new DataView(this.#rows.buffer);
    for (let row = 0; row < batch.count; row++) putRow(view, row * ROW_BYTES, batch, row);
    this.#hash.update(this.#rows.subarray(0, batch.count * ROW_BYTES));
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

function putRow(view: DataView, at: number, batch: EventBatch, row: number): void {
  view.setFloat64(at, batch.timeUs[row]);
  view.setFloat64(at + 8, batch.endUs[row]);
  view.setUint8(at + 16, batch.kind[row]);
  view.setUint8(at + 17, batch.flags[row]);
  view.setUint8(at + 18, batch.timeSource[row]);
  view.setUint8(at + 19, batch.family[row]);
  view.setUint8(at + 20, batch.proto[row]);
  view.setUint8(at + 21, batch.tcpState[row]);
  view.setUint16(at + 22, batch.zone[row]);
  view.setUint8(at + 24, batch.zoneDirection[row]);
  view.setUint8(at + 25, batch.helpers[batch.helper[row]].length);
  view.setUint16(at + 26, batch.origSrcPort[row]);
  view.setUint16(at + 28, batch.origDstPort[row]);
  view.setUint16(at + 30, batch.replySrcPort[row]);
  view.setUint16(at + 32, batch.replyDstPort[row]);
  view.setUint16(at + 34, 0);
  putAddress(view, at + 36, batch, row, batch.origSrc[row]);
  putAddress(view, at + 52, batch, row, batch.origDst[row]);
  putAddress(view, at + 68, batch, row, batch.replySrc[row]);
  putAddress(view, at + 84, batch, row, batch.replyDst[row]);
  view.setUint32(at + 100, batch.status[row]);
  view.setUint32(at + 104, batch.mark[row]);
  view.setUint32(at + 108, batch.id[row]);
  for (let i = 0; i < 8; i++) view.setUint32(at + 112 + i * 4, batch.counters[row * 8 + i]);
  for (let i = 0; i < 16; i++) view.setUint8(at + 144 + i, batch.labels[row * 16 + i]);
}

function putAddress(view: DataView, at: number, batch: EventBatch, row: number, index: number): void {
  if (batch.family[row] === AF_INET) {
    view.setUint32(at, batch.addresses4.values[index]);
    for (let i = 4; i < 16; i += 4) view.setUint32(at + i, 0);
  } else for (let i = 0; i < 4; i++) view.setUint32(at + i * 4, batch.addresses6.words[index * 4 + i]);
}
