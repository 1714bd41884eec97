/**
 * Whether this Node can run the program. It becomes part of the program's first file, which must load on any
 * Node since 12, the one of Ubuntu 22.04, if only to say this: no import, and no syntax newer than that.
 */

/**
 * Why `version` of Node ("20.20.2") cannot run the program and what to do, in one line, or undefined if it
 * can. What decides is `crc32` of node:zlib, which came with 20.15 and 22.2; `engines` in package.json says
 * the same, for npm.
 */
export function nodeProblem(version: string): string | undefined {
  const [major, minor] = version.split('.').map(Number);
  if ((major === 20 && minor >= 15) || (major === 22 && minor >= 2) || major > 22) return undefined;
  const needed = major <= 20 ? '20.15' : '22.2';
  return `ctrecorder needs Node.js ${needed} or later; this is v${version}: install a newer one, as from https://nodejs.org`;
}
