/** Names of files whose name was taken. */
import { basename, extname } from 'node:path';

/** X.ct, X.1.ct, X.2.ct, ...: before the extension of the last component, at the end where it has none. */
export function numbered(path: string, number: number): string {
  if (number === 0) return path;
  const extension = extname(basename(path));
  return `${path.slice(0, path.length - extension.length)}.${number}${extension}`;
}

/** Whether `path` is `name`, or a number was put into it; X.ct.1 is what versions before made of X.ct. */
export function isNumbered(path: string, name: string): boolean {
  if (path === name) return true;
  const [, number] = /\.(\d+)(?:\.[^./]*)?$/.exec(path) ?? [];
  if (number === undefined) return false;
  return path === numbered(name, Number(number)) || isNumberedBefore(path, name);
}

function isNumberedBefore(path: string, name: string): boolean {
  return path.startsWith(`${name}.`) && /^\d+$/.test(path.slice(name.length + 1));
}
