/**
 * What is installed: one file of the program's door, of the program, of each command and of each worker, in
 * place in dist/, behind tsc: a module costs 0.5 ms to load. rollup, because it keeps `const` at the top of a
 * file: esbuild makes `var` of it, which V8 does not take for constant, and the parser then takes 15 % longer
 * (bench/HISTORY.md). Left outside: what the program loads where it needs it, and what finds its own files.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';

const OUTSIDE = new Set(['koffi', 'pino', 'pino-pretty', 'piscina', './run.js']);
const DOOR = 'dist/src/cli/main.js';
const PROGRAM = 'dist/src/cli/run.js';
const entries = [...filesOf('dist/src/cli/commands'), ...filesOf('dist/workers')];

/**
 * The program holds the declarations of all commands, for getopt and help. What they import where they need
 * it is not for it: a command is run from its own file, which has everything.
 */
const declarationsOnly = {
  name: 'declarations-only',
  resolveDynamicImport: (specifier, importer) =>
    typeof specifier !== 'string'
      ? null
      : { id: specifier.startsWith('.') ? resolve(dirname(importer), specifier) : specifier, external: true },
};

function filesOf(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.js'))
    .map((name) => `${folder}/${name}`);
}

/**
 * Writes the licences of the packages whose code is in a bundle, which go wherever that code goes. They are
 * development dependencies: who installs the program has them in it.
 */
function licences() {
  const notices = new Map();
  return {
    name: 'licences',
    generateBundle(_options, bundle) {
      for (const { modules } of Object.values(bundle))
        for (const [id, { renderedLength }] of Object.entries(modules ?? {})) {
          const folder = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0].replace(/^\0/, '');
          if (folder !== undefined && renderedLength > 0) notices.set(folder, noticeOf(folder));
        }
      const text = [...notices.values()].sort().join('\n');
      writeFileSync('dist/THIRD-PARTY-LICENSES', `ctrecorder contains code of these packages.\n\n${text}`);
    },
  };
}

function noticeOf(folder) {
  const { name, version, license, author } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const by = author === undefined ? '' : `, by ${author.name ?? author}`;
  const file = ['LICENSE', 'LICENSE.md'].map((one) => `${folder}/${one}`).find(existsSync);
  return `${name} ${version}${by}: ${license}\n${file ? `\n${readFileSync(file, 'utf8').trim()}\n` : ''}`;
}

const collectLicences = licences();

function bundle(file, ...plugins) {
  return {
    input: file,
    external: (id) => OUTSIDE.has(id),
    plugins: [...plugins, nodeResolve({ preferBuiltins: true }), commonjs(), collectLicences],
    output: { file, format: 'es', inlineDynamicImports: true, sourcemap: true },
  };
}

// The program first: it takes declarations from the commands' files before these are replaced.
export default [bundle(DOOR), bundle(PROGRAM, declarationsOnly), ...entries.map((file) => bundle(file))];
