/**
 * The JSON payloads of header, gap, clock step, checkpoint and end blocks, for bytes that nobody vouches for:
 * every field has the type it should, every time can be printed, and no text can steer a terminal. Failures
 * are PayloadDamage.
 */
import { printable } from '../../base/printable.js';
import type { GapRecord } from '../../event/gap.js';
import type { EndRecord } from './end-block.js';
import { type FileMeta, isIdentity } from './file-meta.js';
import { BlockCodec, CHAIN_BYTES, MAX_JSON_BYTES } from './format.js';
import type { ScannedBlock } from './frame.js';
import { badPayload } from './varint.js';

const DAY_SECONDS = 86_400;
const NOT_WHAT_IT_SAYS = 'does not match its block type';

type Json = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isWhole: Check = (value) => Number.isSafeInteger(value);
const isCount: Check = (value) => isWhole(value) && (value as number) >= 0;
const isProtocol: Check = (value) => isCount(value) && (value as number) <= 255;
const isHex =
  (digits: number): Check =>
  (value) =>
    typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value);
const isChain = isHex(CHAIN_BYTES * 2);

const metaFields: Readonly<Record<keyof FileMeta, Check>> = {
  recorder: isText,
  hostname: isText,
  bootId: isText,
  runId: isHex(16),
  openedUs: isCount,
  timeZone: isText,
  minutesWest: isWhole,
  dst: isWhole,
  utcOffsetSeconds: (value) => isWhole(value) && Math.abs(value as number) < 2 * DAY_SECONDS,
  protocols: (value) => value === 'all' || (Array.isArray(value) && value.every(isProtocol)),
  template: isText,
  squeezed: (value) => typeof value === 'boolean',
  identity: isIdentity,
  machineId: isHex(16),
  fileNumber: (value) => isCount(value) && (value as number) >= 1,
  namedUs: isCount,
  previous: (value) =>
    holds(value, {
      file: isText,
      acknowledgedBytes: isCount,
      chain: isChain,
      runId: (id) => id === undefined || isHex(16)(id),
    }),
  origin: (value) => holds(value, { file: isText, firstChain: isChain, lastChain: isChain }),
};
const gapFields: Readonly<Record<keyof GapRecord, Check>> = {
  fromUs: isCount,
  toUs: isCount,
  lost: isCount,
  certainty: (value) => value === 'exact' || value === 'at-most' || value === 'unknown',
  cause: isText,
  queueHighWaterBytes: (value) => value === undefined || isCount(value),
  ringHighWaterSlots: (value) => value === undefined || isCount(value),
};
const clockStepFields = { atUs: isCount, stepUs: isWhole };
const endFields: Readonly<Partial<Record<keyof EndRecord, Check>>> = {
  reason: isText,
  blocks: isCount,
  records: isCount,
  lastTimeUs: isCount,
  closedUs: (value) => value === undefined || isCount(value),
};
const optionalMetaFields: ReadonlySet<string> = new Set<keyof FileMeta>([
  'identity',
  'machineId',
  'fileNumber',
  'namedUs',
  'previous',
  'origin',
]);

export type BlockPayload = Pick<ScannedBlock, 'frame' | 'payload'>;

/** A header block's fields; one that is not what it should be is as if it were absent. */
export function parseMeta(block: BlockPayload): Partial<FileMeta> {
  const json = parseJson(block);
  const valid = Object.entries(metaFields).filter(([name, check]) => check(json[name]));
  return Object.fromEntries(valid.map(([name]) => [name, json[name]]));
}

/** A header block as every recorder writes it; an optional field that is not what it should be is absent. */
export function parseWholeMeta(block: BlockPayload): FileMeta {
  const meta = parseMeta(block);
  const isWhole = Object.keys(metaFields).every((name) => name in meta || optionalMetaFields.has(name));
  if (!isWhole) throw badPayload(NOT_WHAT_IT_SAYS);
  return meta as FileMeta;
}

export function parseGap(block: BlockPayload): GapRecord {
  const gap = parseFields(block, gapFields) as unknown as GapRecord;
  return { ...gap, cause: printable(gap.cause) };
}

export function parseClockStep(block: BlockPayload): { atUs: number; stepUs: number } {
  return parseFields(block, clockStepFields) as { atUs: number; stepUs: number };
}

export function parseEnd(
  block: BlockPayload,
): Pick<EndRecord, 'blocks' | 'records' | 'lastTimeUs' | 'closedUs'> & { reason: string } {
  const end = parseFields(block, endFields) as unknown as EndRecord;
  return { ...end, reason: printable(end.reason) };
}

/** Any JSON object. */
export function parseJson(block: BlockPayload): Json {
  try {
    if (block.payload.length > MAX_JSON_BYTES || block.frame.codec !== BlockCodec.stored) throw new Error();
    const value: unknown = JSON.parse(Buffer.from(block.payload).toString('utf8'));
    if (!isObject(value)) throw new Error();
    return value;
  } catch {
    throw badPayload(NOT_WHAT_IT_SAYS);
  }
}

function parseFields(block: BlockPayload, fields: Readonly<Record<string, Check>>): Json {
  const json = parseJson(block);
  if (!holds(json, fields)) throw badPayload(NOT_WHAT_IT_SAYS);
  return json;
}

function holds(value: unknown, fields: Readonly<Record<string, Check>>): boolean {
  return isObject(value) && Object.entries(fields).every(([name, check]) => check(value[name]));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}
