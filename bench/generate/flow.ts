/**
 * One IPv4 connection in numbers, as counting hundreds of thousands of them wants it: addresses are u32,
 * 10.0.0.1 = 0x0a000001.
 */
export interface Flow {
  proto: number;
  origSrc: number;
  origSrcPort: number;
  origDst: number;
  origDstPort: number;
  replySrc: number;
  replySrcPort: number;
  replyDst: number;
  replyDstPort: number;
}

export function emptyFlow(): Flow {
  return {
    proto: 0,
    origSrc: 0,
    origSrcPort: 0,
    origDst: 0,
    origDstPort: 0,
    replySrc: 0,
    replySrcPort: 0,
    replyDst: 0,
    replyDstPort: 0,
  };
}

const DOT = 46;

/**
 * Dotted decimal to u32; leading zeros are decimal too (natlog pads with them). Anything else gives a number
 * that fits nothing.
 */
export function parseAddress(text: string): number {
  let address = 0;
  let byte = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      address = address * 256 + byte;
      byte = 0;
    } else byte = byte * 10 + code - 48;
  }
  return address * 256 + byte;
}

export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}
