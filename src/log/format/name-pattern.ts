/**
 * Names that a part of a template (between two slashes) could have given, and a few others. Not by a regular
 * expression: one with several conversions (`.+-.+-.+`) tries every way to split a name, and whoever may make
 * files beside the logs chooses the name that takes longest. This looks at every character once.
 */
export type NamePattern = (name: string) => boolean;

const CONVERSION = /(%.)/su;
/** What the recorder adds to a name that is taken, and to that of a live file. */
const ADDED: readonly [RegExp, string][] = [
  [/\.part$/, ''],
  [/\.\d+$/, ''],
  [/\.\d+(\.[^.]*)$/, '$1'],
];

/** Exactly what the template gives. */
export function namePattern(component: string): NamePattern {
  // Between two conversions that touch stands an empty one.
  const literals = [''];
  for (const part of component.split(CONVERSION)) {
    const isConversion = part.startsWith('%') && part !== '%%';
    if (isConversion) literals.push('');
    else literals[literals.length - 1] += part === '%%' ? '%' : part;
  }
  const first = literals.shift()!;
  const last = literals.pop();
  if (last === undefined) return (name) => name === first;
  return (name) => {
    if (!name.startsWith(first) || !name.endsWith(last)) return false;
    let at = first.length;
    for (const literal of literals) {
      // A conversion gives at least one character. Taking the first place leaves the most for the others.
      const found = name.indexOf(literal, at + 1);
      if (found < 0) return false;
      at = found + literal.length;
    }
    return at < name.length - last.length;
  };
}

/** Also that with a number, as `numbered` or a version before puts it in, and a live file's. */
export function filePattern(component: string): NamePattern {
  const isGiven = namePattern(component);
  return (name) => {
    let bases = [name];
    for (const [added, without] of ADDED)
      bases = bases.concat(bases.map((base) => base.replace(added, without)));
    return bases.some(isGiven);
  };
}
