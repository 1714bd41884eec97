/**
 * Events of one kind have the same layout, message after message: the attributes behind the tuples are
 * learned once, and from then on verified and jumped to instead of walked. A shape is the header word of
 * every attribute, nested ones too, and for each value that is wanted its place. When one header differs
 * nothing has been touched, and the general walk reads the message. Parser thread, per message: no allocation
 * but when a shape is learned.
 */
import { ATTRIBUTE_HEADER_BYTES, aligned, NLA_TYPE_MASK } from '../netlink/message.js';
import { Field, MINIMUM_BYTES, NUMBERS_PER_CONTEXT, OPERATIONS } from './attributes.js';

const ATTRIBUTES_MAX = 32;
/** Shapes are found by their length in words: few kinds of events share one. */
const SHAPES = 128;

export class Shape {
  /** Bytes of all attributes; 0 = nothing learned. */
  lengthBytes = 0;
  headerCount = 0;
  /** Offsets in words from the first attribute, and the words there. */
  readonly headerAt = new Uint16Array(ATTRIBUTES_MAX);
  readonly headers = new Uint32Array(ATTRIBUTES_MAX);
  valueCount = 0;
  readonly fields = new Uint8Array(ATTRIBUTES_MAX);
  /** Offset in bytes from the first attribute, and length of each value. */
  readonly valueAt = new Uint16Array(ATTRIBUTES_MAX);
  readonly valueBytes = new Uint16Array(ATTRIBUTES_MAX);
  /**
   * The same by field: its value's offset in bytes, 0 = the shape has none. What is read without a loop is
   * found here.
   */
  readonly byteOf = new Uint16Array(Field.nested);
  rareCount = 0;
  withCounters = false;
}

/** Fields that few messages have, and that are not a word or two: zones, labels, a helper's name. */
export function isRare(field: number): boolean {
  return (
    (field >= Field.zone && field <= Field.zoneReply) || field === Field.labels || field === Field.helper
  );
}

const shapes = Array.from({ length: SHAPES }, () => new Shape());

/** The shape that the `lengthBytes` bytes of attributes from word `at` on have, or undefined. */
export function findShape(words: Uint32Array, at: number, lengthBytes: number): Shape | undefined {
  const shape = shapes[(lengthBytes >>> 2) & (SHAPES - 1)];
  if (shape.lengthBytes !== lengthBytes) return undefined;
  const { headerAt, headers, headerCount } = shape;
  for (let i = 0; i < headerCount; i++) if (words[at + headerAt[i]] !== headers[i]) return undefined;
  return shape;
}

/**
 * Learn the shape of well-formed attributes in the `context` of OPERATIONS. Anything irregular (unknown
 * attributes, lengths that do not fit, payloads shorter than their value, the same field twice) is left to
 * the walk.
 */
export function learnShape(words: Uint32Array, at: number, lengthBytes: number, context: number): void {
  if (lengthBytes <= 0 || lengthBytes % 4 !== 0) return;
  const shape = shapes[(lengthBytes >>> 2) & (SHAPES - 1)];
  shape.headerCount = 0;
  shape.valueCount = 0;
  shape.byteOf.fill(0);
  shape.rareCount = 0;
  shape.withCounters = false;
  const isRegular = learn(shape, words, at, 0, lengthBytes, context);
  shape.lengthBytes = isRegular ? lengthBytes : 0;
}

/** The attributes in [from, to), offsets in bytes from word `at`. False when something is irregular. */
function learn(
  shape: Shape,
  words: Uint32Array,
  at: number,
  from: number,
  to: number,
  context: number,
): boolean {
  while (from < to) {
    const header = words[at + (from >>> 2)];
    const length = header & 0xffff;
    const number = (header >>> 16) & NLA_TYPE_MASK;
    if (length < ATTRIBUTE_HEADER_BYTES || from + length > to) return false;
    if (number >= NUMBERS_PER_CONTEXT || shape.headerCount === ATTRIBUTES_MAX) return false;
    shape.headerAt[shape.headerCount] = from >>> 2;
    shape.headers[shape.headerCount++] = header;
    const field = OPERATIONS[context * NUMBERS_PER_CONTEXT + number];
    const value = from + ATTRIBUTE_HEADER_BYTES;
    if (field === Field.unknown) return false;
    if (field >= Field.nested) {
      if (!learn(shape, words, at, value, from + length, field - Field.nested)) return false;
    } else if (field !== Field.skip) {
      if (length - ATTRIBUTE_HEADER_BYTES < MINIMUM_BYTES[field] || shape.byteOf[field] !== 0) return false;
      shape.byteOf[field] = value;
      if (isRare(field)) shape.rareCount++;
      if (field >= Field.origPackets && field <= Field.replyBytes) shape.withCounters = true;
      shape.fields[shape.valueCount] = field;
      shape.valueAt[shape.valueCount] = value;
      shape.valueBytes[shape.valueCount++] = length - ATTRIBUTE_HEADER_BYTES;
    }
    from += aligned(length);
  }
  return true;
}
