/** Messages of the kernel that each carry a number, by which the event is known again in a file. */
import type { EventBatch } from '../../src/event/batch.js';
import { encodeMessage } from '../record/conntrack/encode-message.js';

const IP = '10.1.2.3';
const PORT = 0x7eed;

const template = encodeMessage([
  [
    'CTA_TUPLE_ORIG',
    [
      [
        'CTA_TUPLE_IP',
        [
          ['CTA_IP_V4_SRC', IP],
          ['CTA_IP_V4_DST', '192.0.2.80'],
        ],
      ],
      [
        'CTA_TUPLE_PROTO',
        [
          ['CTA_PROTO_NUM', 6],
          ['CTA_PROTO_SRC_PORT', PORT],
          ['CTA_PROTO_DST_PORT', 443],
        ],
      ],
    ],
  ],
  [
    'CTA_TUPLE_REPLY',
    [
      [
        'CTA_TUPLE_IP',
        [
          ['CTA_IP_V4_SRC', '192.0.2.80'],
          ['CTA_IP_V4_DST', '198.51.100.1'],
        ],
      ],
      [
        'CTA_TUPLE_PROTO',
        [
          ['CTA_PROTO_NUM', 6],
          ['CTA_PROTO_SRC_PORT', 443],
          ['CTA_PROTO_DST_PORT', PORT],
        ],
      ],
    ],
  ],
]);
const addressAt = template.indexOf(Buffer.from([10, 1, 2, 3]));
const portAt = template.indexOf(Buffer.from([PORT >> 8, PORT & 0xff]));
const replyPortAt = template.lastIndexOf(Buffer.from([PORT >> 8, PORT & 0xff]));

export const MESSAGE_BYTES = template.length;

/** A NEW of connection `number` (up to 2^31) at `offset`. */
export function writeMessage(number: number, into: Uint8Array, offset: number): void {
  into.set(template, offset);
  const client = number >>> 16;
  into[offset + addressAt + 2] = client >> 8;
  into[offset + addressAt + 3] = client & 0xff;
  for (const at of [portAt, replyPortAt]) {
    into[offset + at] = (number >> 8) & 0xff;
    into[offset + at + 1] = number & 0xff;
  }
}

/** The number of the event in a row. */
export function numberOf(batch: EventBatch, row: number): number {
  const client = batch.addresses4.values[batch.origSrc[row]] & 0xffff;
  return client * 0x10000 + batch.origSrcPort[row];
}
