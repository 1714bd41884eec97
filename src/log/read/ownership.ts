/**
 * Whose file it is. A name or a path says nothing: the header does. What is not a recorder's own is never
 * continued, recovered, counted or removed by it.
 */
import type { FileMeta } from '../format/file-meta.js';

export interface Recorder {
  /** Absolute. */
  readonly template: string;
  readonly protocols: readonly number[] | 'all';
  readonly hostname: string;
  readonly identity: string;
}

/** Files of before have no identity: host name, template and protocols must agree then. */
export function isOwn(meta: FileMeta, recorder: Recorder): boolean {
  if (!sameProtocols(meta.protocols, recorder.protocols)) return false;
  if (meta.identity !== undefined) return meta.identity === recorder.identity;
  return meta.hostname === recorder.hostname && meta.template === recorder.template;
}

export function sameProtocols(a: FileMeta['protocols'], b: FileMeta['protocols']): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
