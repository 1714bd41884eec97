/**
 * Text from a file or a user on its way to a terminal, which it must not steer. What does: control characters
 * (line ends, escape sequences), invisible ones (writing direction, no width), ends of lines and paragraphs,
 * halves of characters.
 */
const STEERING = /[\p{C}\p{Zl}\p{Zp}]/gu;
const STEERING_IN_LINES = /[^\P{C}\n]|[\p{Zl}\p{Zp}]/gu;

/** With `?` for each such character. What is not text becomes its string, nothing an empty one. */
export function printable(text: unknown): string {
  return String(text ?? '').replace(STEERING, '?');
}

/** The same for several lines, whose ends stay. */
export function printableLines(text: string): string {
  return text.replace(STEERING_IN_LINES, '?');
}

/**
 * The same for the stack of an error, which begins with the error's message: line ends stay only where the
 * stack has its own.
 */
export function printableStack(stack: string): string {
  return printableLines(stack.replace(/\n(?! {4}at |caused by: )/g, '?'));
}

/**
 * The same for lines of JSON, where nothing is lost: such characters become escapes. JSON itself leaves all
 * but the first 32 as they are.
 */
export function printableJson(json: string): string {
  return json.replace(STEERING_IN_LINES, (character) =>
    Array.from({ length: character.length }, (_, i) => unitEscape(character.charCodeAt(i))).join(''),
  );
}

function unitEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}

/** Text of a user inside a message: printable, and visible when it is empty. */
export function quoted(text: string): string {
  const clean = printable(text);
  return clean === '' || /\s/.test(clean) ? `"${clean}"` : clean;
}
