/** Text of a user inside a message: printable, and visible when it is empty. */
export function quoted(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cs}]/gu, '?');
  return clean === '' || /\s/.test(clean) ? `"${clean}"` : clean;
}
