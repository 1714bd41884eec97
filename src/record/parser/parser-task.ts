/** What the parser worker is told. Plain data: it crosses to another thread. */
import type { MessagePort } from 'node:worker_threads';
import type { SaveTask } from '../replay/save.js';
import type { ParserOptions } from './parser.js';

export interface ParserTask {
  readonly messages: SharedArrayBuffer;
  readonly blocks: SharedArrayBuffer;
  readonly stats: SharedArrayBuffer;
  readonly options: ParserOptions;
  /** For WriterEvents of type 'log'. */
  readonly port: MessagePort;
  readonly save: SaveTask | undefined;
}
