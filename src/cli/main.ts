#!/usr/bin/env node
/**
 * The program. Without a handler for SIGUSR1 Node opens its inspector on a port, so that comes first of all.
 * Then comes Node's version, before anything is loaded that an older one would choke on: the bundle of this
 * file imports nothing, and run.js and what it needs is a bundle of its own.
 */
import { nodeProblem } from './node-version.js';

process.on('SIGUSR1', () => {});

const problem = nodeProblem(process.versions.node);
if (problem === undefined) import('./run.js').then(({ run }) => run(process.argv.slice(2)));
else {
  process.exitCode = 1;
  process.stderr.write(`${problem}\n`);
}
