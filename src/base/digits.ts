/**
 * Decimal digits as bytes: tables and writers for the line writer's hot path. Words are little-endian on
 * every machine.
 */

/** The four digits of 0 to 9999, leading zeros included, the first in the lowest byte. */
export const fourDigits = new Uint32Array(10_000);
for (let thousands = 0, value = 0; thousands < 10; thousands++)
  for (let hundreds = 0; hundreds < 10; hundreds++)
    for (let tens = 0; tens < 10; tens++)
      for (let ones = 0; ones < 10; ones++)
        fourDigits[value++] = 0x30303030 | thousands | (hundreds << 8) | (tens << 16) | (ones << 24);

/**
 * Write 0 to 65535 at `at` without leading zeros; may scribble over four bytes. Answers the offset behind the
 * digits.
 */
export function writePort(view: DataView, at: number, port: number): number {
  if (port >= 10_000) {
    const first = (port / 10_000) | 0;
    view.setUint8(at, 48 + first);
    view.setUint32(at + 1, fourDigits[port - first * 10_000], true);
    return at + 5;
  }
  const zeros = port >= 1000 ? 0 : port >= 100 ? 1 : port >= 10 ? 2 : 3;
  view.setUint32(at, fourDigits[port] >>> (zeros * 8), true);
  return at + 4 - zeros;
}

/** Write 0 to 255 without leading zeros; answers the offset behind. */
export function writeOctet(bytes: Uint8Array, at: number, value: number): number {
  if (value >= 100) bytes[at++] = 48 + ((value / 100) | 0);
  if (value >= 10) bytes[at++] = 48 + (((value / 10) | 0) % 10);
  bytes[at++] = 48 + (value % 10);
  return at;
}
