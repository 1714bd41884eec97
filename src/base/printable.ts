/**
 * Text from a file or a user on its way to a terminal, which it must not steer: control characters (line
 * ends, escape sequences), invisible ones (writing direction) and halves of characters become `?`. What is no
 * text becomes its string, nothing an empty one.
 */
export function printable(text: unknown): string {
  return String(text ?? '').replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}

/** Text of a user inside a message: printable, and visible when it is empty. */
export function quoted(text: string): string {
  const clean = printable(text);
  return clean === '' || /\s/.test(clean) ? `"${clean}"` : clean;
}
