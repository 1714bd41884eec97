/**
 * One file of the program, of each command and of each worker, in place in dist/, behind tsc: a module costs
 * 0.5 ms to load. rollup, because it keeps `const` at the top of a file: esbuild makes `var` of it, which V8
 * does not take for constant, and the parser then takes 15 % longer (bench/HISTORY.md). Left outside: what
 * the program loads where it needs it, and what finds its own files.
 */
import { readdirSync } from 'node:fs';
import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';

const OUTSIDE = new Set(['koffi', 'pino', 'pino-pretty', 'piscina']);
const entries = ['dist/src/cli/main.js', ...filesOf('dist/src/cli/commands'), ...filesOf('dist/workers')];

function filesOf(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.js'))
    .map((name) => `${folder}/${name}`);
}

export default entries.map((file) => ({
  input: file,
  external: (id) => OUTSIDE.has(id) || id.startsWith('./commands/'),
  plugins: [nodeResolve({ preferBuiltins: true }), commonjs()],
  output: { file, format: 'es', inlineDynamicImports: true, sourcemap: true },
}));
