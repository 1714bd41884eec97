/**
 * `make lint` runs this file. Its rules, each of which fails with the file, the place and what to do:
 *
 * 1. The floors of the house, lowest first: a folder of src or workers imports from itself and from folders
 *    listed above it here, types included.
 * 2. No files import each other in a circle.
 * 3. Neither wing imports the other.
 * 4. What reads logs does not reach koffi, directly or not.
 * 5. Only the door to the terminal writes to standard output and standard error.
 * 6. No comment of src, workers, bench and test is wider than 110 columns. (Code is biome's affair.)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const FLOORS = [
  'src/base',
  'src/base/time',
  'src/base/libc',
  'src/base/disk',
  'src/base/process',
  'src/event',
  'src/log/format',
  'src/log/read',
  'src/log/write',
  'src/find/output',
  'src/find/query',
  'src/find/upkeep',
  'src/record/ring',
  'src/record/stage',
  'src/record/netlink',
  'src/record/conntrack',
  'src/record/replay',
  'src/record/parser',
  'src/record/writer',
  'src/record/table',
  'src/record/main',
  'src/ship',
  'src/operate/doctor',
  'src/operate/monitor',
  'src/operate/daemon',
  'src/cli/args',
  'src/cli/commands',
  'src/cli',
  'workers',
];
/** Two wings on one log: the desk works where nothing of the gateway is, and the other way round. */
const WINGS = ['src/find', 'src/record'];
/** What reads must work without koffi: it never imports, directly or not, the folder that loads it. */
const READERS = ['src/log/read', 'src/find/query', 'src/find/output'];
const NATIVE = 'src/base/libc';

/** The one file that writes to standard output and standard error, and what would write past it. */
const DOOR = 'src/base/terminal.ts';
/** Tells an old Node what is needed, before anything that it could not load: one line of our own words. */
const BEFORE_ANY_MODULE = 'src/cli/main.ts';
const PAST_THE_DOOR = [
  /\bprocess\s*(?:\??\.\s*|\[\s*['"`])(?:stdout|stderr|_rawDebug|emitWarning)\b/,
  /\{[^{}]*\bstd(?:out|err)\b[^{}]*\}\s*=\s*process\b/,
  /\bimport\s*\{[^{}]*\bstd(?:out|err)\b[^{}]*\}\s*from\s*'(?:node:)?process'/,
  /\bconsole\s*\??\s*[.[]/,
  /'(?:node:)?console'/,
  /\bstd(?:out|err)\s*(?:\(\s*\))?\s*\??\.\s*(?:write|end)\b/,
  /\bwritev?(?:Sync|FileSync)?\(\s*(?:1|2|STD(?:OUT|ERR))\b/,
  /\bfd:\s*(?:1|2|STD(?:OUT|ERR))\b/,
  /\/dev\/(?:stdout|stderr|tty|fd\/[12])\b/,
];

/** Where comments are read, and how wide they may be. */
const COMMENTED = ['src', 'workers', 'bench', 'test'];
const COMMENT_COLUMNS = 110;
const COMMENT = /^\s*(?:\/\/|\/\*|\*)/;

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g;

const names = ['src', 'workers'].flatMap(sources);
const code = new Map(names.map((file) => [file, withoutComments(readFileSync(file, 'utf8'))]));
const files = new Map(names.map((file) => [file, importsOf(file)]));
const problems = [...misplaced(), ...circles(), ...native(), ...pastTheDoor(), ...wideComments()];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${files.size} files on ${FLOORS.length} floors: no import upwards, no circle, one door to the terminal, no wide comment`);

function sources(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

/** Lines stay where they are. */
function withoutComments(text) {
  return text.replace(/^[^\S\n]*(?:\*|\/\/|\/\*).*$/gm, '');
}

function importsOf(file) {
  return [...code.get(file).matchAll(IMPORT)].map(([, path]) =>
    normalize(join(dirname(file), path)).replace(/\.js$/, '.ts'),
  );
}

function wingOf(file) {
  return WINGS.find((wing) => file.startsWith(`${wing}/`));
}

function* misplaced() {
  for (const [file, imports] of files) {
    const floor = FLOORS.indexOf(dirname(file));
    if (floor < 0) yield `${file}: its folder stands on no floor; give it one in .floors.mjs`;
    for (const imported of imports) {
      const other = FLOORS.indexOf(dirname(imported));
      if (other > floor)
        yield `${file}: imports ${imported}, upwards from ${FLOORS[floor]} to ${FLOORS[other]}`;
      const [from, to] = [wingOf(file), wingOf(imported)];
      if (from !== undefined && to !== undefined && from !== to)
        yield `${file}: imports ${imported}, from one wing into the other`;
    }
  }
}

/**
 * Files that import each other, through whatever is between; depth-first search, a file on the way is met
 * again.
 */
function* circles() {
  const done = new Set();
  const way = [];
  function* visit(file) {
    const at = way.indexOf(file);
    if (at >= 0) yield `circle: ${[...way.slice(at), file].join(' > ')}`;
    if (at >= 0 || done.has(file)) return;
    way.push(file);
    for (const imported of files.get(file) ?? []) yield* visit(imported);
    way.pop();
    done.add(file);
  }
  for (const file of files.keys()) yield* visit(file);
}

function* native() {
  for (const file of files.keys()) {
    if (!READERS.some((folder) => file.startsWith(`${folder}/`))) continue;
    const way = wayToNative(file, new Set());
    if (way !== undefined) yield `${file}: reaches koffi: ${way.join(' > ')}`;
  }
}

function wayToNative(file, seen) {
  if (dirname(file) === NATIVE) return [file];
  if (seen.has(file)) return undefined;
  seen.add(file);
  for (const imported of files.get(file) ?? []) {
    const rest = wayToNative(imported, seen);
    if (rest !== undefined) return [file, ...rest];
  }
  return undefined;
}

function* pastTheDoor() {
  for (const [file, text] of code) {
    if (file === DOOR || file === BEFORE_ANY_MODULE) continue;
    for (const pattern of PAST_THE_DOOR) {
      const found = pattern.exec(text);
      if (found === null) continue;
      const line = text.slice(0, found.index).split('\n').length;
      yield `${file}:${line}: ${found[0]}: writes past ${DOOR}; print with a function of that file`;
    }
  }
}

/** Of lines that are nothing but comment. */
function* wideComments() {
  for (const file of COMMENTED.flatMap(sources)) {
    const lines = readFileSync(file, 'utf8').split('\n');
    for (const [i, line] of lines.entries()) {
      const columns = [...line].length;
      if (columns > COMMENT_COLUMNS && COMMENT.test(line))
        yield `${file}:${i + 1}: a comment of ${columns} columns; break the line at ${COMMENT_COLUMNS}`;
    }
  }
}
