/** What the parser worker is told. Plain data: it crosses to another thread. */
import type { ParserOptions } from './parser.js';

export interface ParserTask {
  readonly messages: SharedArrayBuffer;
  readonly blocks: SharedArrayBuffer;
  readonly stats: SharedArrayBuffer;
  readonly options: ParserOptions;
  readonly saveMessagesFile?: string;
  readonly saveLimitBytes: number;
}
