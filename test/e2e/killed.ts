/**
 * `kill -9` at random moments under load, again and again in one folder: what the files hold afterwards,
 * event by event.
 */
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { RecordKind } from '../../src/event/batch.js';
import { Injector } from '../lab/inject.js';
import { ctrecorder } from '../lab/listing.js';
import { type Namespace, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';
import { rowsOf, stopWell, withFolder } from '../record/table/recording.js';

/**
 * Holds 105,000 events, seconds of the load: the kernel drops nothing, so the order of the events is that of
 * the injector.
 */
const OPTIONS = '-C -F -f nat-%Y%m%d-%H%M%S.ct -p all -b 65536 --flush-interval 20ms --progress-fd 3'.split(
  ' ',
);
const RATE_PER_SECOND = 20_000;
/** Connections that begin, and then end, in one go. */
const BATCH = 200;
/**
 * Every so many die at some moment of their start, while they recover the file of the one before; the others
 * while they record.
 */
const EARLY_EVERY = 5;
const START_MS = 500;
const RECORDING_MS_MAX = 1200;
const ROTATE_MS_MAX = 600;
const ROUND_CONNECTIONS_MAX = 20_000;

interface Round {
  /** Index of its first connection. */
  readonly first: number;
  /**
   * Events of this round that the recorder acknowledged: the first ones, in the order in which they were
   * sent.
   */
  readonly acknowledged: number;
  readonly ready: boolean;
}

export interface KillAccounts {
  readonly kills: number;
  /** Kills of a recorder that was recording. */
  readonly recording: number;
  readonly files: number;
  readonly acknowledged: number;
  readonly recorded: number;
  /** Acknowledged events that are in no file. */
  readonly missing: number;
  /** Events that are there more than once, all files together. */
  readonly doubled: number;
  /** Rows of what was never sent. */
  readonly foreign: number;
}

/**
 * Kill a recorder `kills` times, start one that is stopped well, and count. @throws AssertionError when a
 * file is unsound or a gap missing.
 */
export function killAgainAndAgain(kills: number): Promise<KillAccounts> {
  return withNamespaces(['killed'], async (namespace) => {
    let accounts: KillAccounts | undefined;
    await withFolder(async (folder) => {
      const rounds: Round[] = [];
      const injector = await Injector.start(namespace);
      for (let i = 0; i < kills; i++)
        rounds.push(
          await killOnce(namespace, folder, injector, i * ROUND_CONNECTIONS_MAX, i % EARLY_EVERY === 1),
        );
      const last = await ObservedProcess.recorder(namespace, OPTIONS, { cwd: folder });
      await last.says(/recording to/);
      const files = (await stopWell(last, folder)).filter((file) => !file.endsWith('.torn'));
      ctrecorder(['-T', ...files]);
      const recording = rounds.filter(({ ready }) => ready).length;
      assertGaps(files, recording);
      accounts = { kills, recording, files: files.length, ...(await countRows(files, rounds)) };
    });
    return accounts!;
  });
}

async function killOnce(
  namespace: Namespace,
  folder: string,
  injector: Injector,
  first: number,
  early: boolean,
): Promise<Round> {
  const recorder = await ObservedProcess.recorder(namespace, OPTIONS, { cwd: folder });
  let ended = false;
  recorder.exit.then(() => {
    ended = true;
  });
  let killed = false;
  const killWithin = (ms: number) =>
    setTimeout(() => {
      killed = true;
      recorder.kill();
    }, Math.random() * ms);
  if (early) killWithin(START_MS);
  const ready = await recorder.says(/recording to/).then(
    () => true,
    () => false,
  );
  if (!early) killWithin(RECORDING_MS_MAX);
  const rotate = setInterval(
    () => {
      if (!killed) recorder.signal('SIGHUP');
    },
    50 + Math.random() * ROTATE_MS_MAX,
  );
  try {
    // A process whose write is under way takes its time to die: then the load may end before.
    for (let at = first; !ended && at < first + ROUND_CONNECTIONS_MAX; at += BATCH) {
      const plan = { first: at, count: BATCH };
      await injector.create(plan, RATE_PER_SECOND);
      await injector.remove(plan, RATE_PER_SECOND);
    }
  } finally {
    clearInterval(rotate);
  }
  const { code, stderr } = await recorder.exit;
  assert.equal(code, 128 + constants.signals.SIGKILL, stderr);
  return { first, ready, acknowledged: recorder.durableEvents() };
}

/**
 * Every recorder that was killed while it recorded left an end nobody saw, and a time in which none was
 * there.
 */
function assertGaps(files: readonly string[], killed: number): void {
  const causes = files.flatMap((file) =>
    [...ctrecorder(['-L', '-H', '--show-gaps', '-i', '192.0.2.1', '-f', file]).matchAll(/cause=(.*)$/gm)].map(
      ([, cause]) => cause,
    ),
  );
  for (const cause of ['recorder died', 'recorder not running']) {
    const found = causes.filter((one) => one === cause).length;
    assert.ok(found >= killed, `${found} times "${cause}" after ${killed} kills`);
  }
  const others = causes.filter((one) => !['recorder died', 'recorder not running'].includes(one));
  assert.deepEqual(others, [], 'nothing is lost while it runs');
}

async function countRows(files: readonly string[], rounds: readonly Round[]) {
  const connections = rounds.length * ROUND_CONNECTIONS_MAX;
  const starts = new Uint8Array(connections);
  const ends = new Uint8Array(connections);
  let foreign = 0;
  for (const file of files)
    for await (const { kind, index, derived } of rowsOf(file)) {
      if (kind === RecordKind.snapshot) continue;
      if (derived || !(index >= 0 && index < connections)) foreign++;
      else (kind === RecordKind.start ? starts : ends)[index]++;
    }
  let missing = 0;
  let acknowledged = 0;
  for (const round of rounds) {
    acknowledged += round.acknowledged;
    for (let sent = 0; sent < round.acknowledged; sent++) {
      const place = sent % (2 * BATCH);
      const index = round.first + Math.floor(sent / (2 * BATCH)) * BATCH + (place % BATCH);
      if ((place < BATCH ? starts : ends)[index] === 0) missing++;
    }
  }
  let recorded = 0;
  let doubled = 0;
  for (const counts of [starts, ends])
    for (const count of counts) {
      recorded += count;
      if (count > 1) doubled++;
    }
  return { acknowledged, recorded, missing, doubled, foreign };
}

/** @throws AssertionError unless nothing acknowledged is missing and nothing is there twice. */
export function assertUnharmed(accounts: KillAccounts): void {
  const { acknowledged, missing, doubled, foreign } = accounts;
  assert.deepEqual({ missing, doubled, foreign }, { missing: 0, doubled: 0, foreign: 0 });
  assert.ok(acknowledged > 0, 'killed under load');
}

export function killText({
  kills,
  recording,
  files,
  acknowledged,
  recorded,
  missing,
  doubled,
}: KillAccounts): string {
  return (
    `${kills} kills (${recording} while recording), ${files} files, ${acknowledged} events acknowledged, ${recorded} recorded, ` +
    `${missing} missing, ${doubled} doubled`
  );
}
