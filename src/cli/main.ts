#!/usr/bin/env node
/**
 * The program. Without a handler for SIGUSR1 Node opens its inspector on a port, so that comes first of all;
 * no import of ours stands above it, because imports are evaluated before any line of this file. (The
 * bundle's are Node's own modules.)
 */
process.on('SIGUSR1', () => {});

const { run } = await import('./run.js');
await run(process.argv.slice(2));

export {};
