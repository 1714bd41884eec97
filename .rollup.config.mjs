/**
 * One file of the program, of each command and of each worker, in place in dist/, behind tsc: a module costs
 * 0.5 ms to load. rollup, because it keeps `const` at the top of a file: esbuild makes `var` of it, which V8
 * does not take for constant, and the parser then takes 15 % longer (docs/performance.md). Left outside: what
 * the program loads where it needs it, and what finds its own files.
 */
import { readdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';

const OUTSIDE = new Set(['koffi', 'pino', 'pino-pretty', 'piscina']);
const PROGRAM = 'dist/src/cli/main.js';
const entries = [...filesOf('dist/src/cli/commands'), ...filesOf('dist/workers')];

/**
 * The program holds the declarations of all commands, for getopt and help. What they import where they need
 * it is not for it: a command is run from its own file, which has everything.
 */
const declarationsOnly = {
  name: 'declarations-only',
  resolveDynamicImport: (specifier, importer) =>
    specifier === './run.js' || typeof specifier !== 'string'
      ? null
      : { id: specifier.startsWith('.') ? resolve(dirname(importer), specifier) : specifier, external: true },
};

function filesOf(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.js'))
    .map((name) => `${folder}/${name}`);
}

function bundle(file, ...plugins) {
  return {
    input: file,
    external: (id) => OUTSIDE.has(id),
    plugins: [...plugins, nodeResolve({ preferBuiltins: true }), commonjs()],
    output: { file, format: 'es', inlineDynamicImports: true, sourcemap: true },
  };
}

// The program first: it takes declarations from the commands' files before these are replaced.
export default [bundle(PROGRAM, declarationsOnly), ...entries.map((file) => bundle(file))];
