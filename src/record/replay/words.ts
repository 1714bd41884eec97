/**
 * Copy [from, from + lengthBytes) of `view`, at any offset, to `words` from word `at` on; the last word is
 * filled up with zeros. For messages: `Uint8Array.set` would need a new view for each.
 */
export function copyToWords(
  view: DataView,
  from: number,
  lengthBytes: number,
  words: Uint32Array,
  at: number,
): void {
  const rest = lengthBytes & 3;
  const end = from + lengthBytes - rest;
  let word = at;
  for (let offset = from; offset < end; offset += 4) words[word++] = view.getUint32(offset, true);
  if (rest === 0) return;
  words[word] = 0;
  for (let i = 0; i < rest; i++) words[word] |= view.getUint8(end + i) << (8 * i);
}
