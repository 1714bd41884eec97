/** Names of conntrack helpers (CTA_HELP_NAME), numbered. Parser thread, per message that has one. */

const HELPERS_MAX = 255;
/** What the log holds of a helper's name; the kernel's have at most 15. */
const HELPER_NAME_BYTES_MAX = 255;

/**
 * Number of the helper name in [from, from + length), NUL-terminated; compares bytes, and makes a string for
 * a new name only.
 */
export function internHelper(bytes: Uint8Array, from: number, length: number, helpers: string[]): number {
  const lengthMax = Math.min(length, HELPER_NAME_BYTES_MAX);
  let nameBytes = 0;
  while (nameBytes < lengthMax && bytes[from + nameBytes] !== 0) nameBytes++;
  for (let index = 0; index < helpers.length; index++)
    if (equals(helpers[index], bytes, from, nameBytes)) return index;
  if (helpers.length > HELPERS_MAX) return 0;
  let name = '';
  for (let i = 0; i < nameBytes; i++) name += String.fromCharCode(bytes[from + i]);
  return helpers.push(name) - 1;
}

function equals(name: string, bytes: Uint8Array, from: number, length: number): boolean {
  if (name.length !== length) return false;
  for (let i = 0; i < length; i++) if (name.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}
