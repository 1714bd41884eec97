/**
 * A worker thread dies, in the real program under load: never a half-dead recorder, and nothing that was
 * durable is lost.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { countOf, FloodTally } from '../lab/flood-tally.js';
import { makeFolder, removeFolder, visibleNames } from '../lab/folder.js';
import { Injector } from '../lab/inject.js';
import { ctrecorder } from '../lab/listing.js';
import { labObstacle, type Namespace, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess, type ProcessExit } from '../lab/process.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
const preload = new URL('../record/main/deadly-preload.js', import.meta.url).href;
/** A thread of the recorder needs 10 to 20 MiB. */
const HEAP_MIB = 96;
const BATCH = 500;

let folder: string;
beforeEach(() => {
  folder = makeFolder('death');
});
afterEach(() => removeFolder(folder));

async function record(namespace: Namespace, death?: string): Promise<ObservedProcess> {
  const args = ['-C', '-F', '-f', 'nat.ct', '-p', 'all', '--flush-interval', '50ms', '--progress-fd', '3'];
  const env: NodeJS.ProcessEnv = { ...process.env };
  if (death !== undefined) {
    env.NODE_OPTIONS = `--import=${preload} --max-old-space-size=${HEAP_MIB}`;
    env.CTRECORDER_TEST_DEATH = death;
    env.CTRECORDER_TEST_DEATH_AT = path.join(folder, 'now');
  }
  const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder, env });
  await recorder.says(/recording to/);
  return recorder;
}

const logFiles = () =>
  visibleNames(folder)
    .filter((name) => /^nat(\.\d+)?\.ct/.test(name))
    .sort((a, b) => a.length - b.length);
const log = ({ stderr }: ProcessExit) =>
  stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number; msg: string });

/** Record under load until a thread dies. */
async function recordToDeath(namespace: Namespace, death: string): Promise<void> {
  const recorder = await record(namespace, death);
  const injector = await Injector.start(namespace);
  let made = 0;
  let ended = false;
  recorder.exit.then(() => {
    ended = true;
  });
  for (; !ended; made += BATCH) {
    await injector.create({ first: made, count: BATCH }, 50_000);
    if (recorder.durableEvents() > 2 * BATCH) writeFileSync(path.join(folder, 'now'), '');
  }
  const exit = await recorder.exit;
  assert.equal(exit.code, 1, exit.stderr);
  const [stage] = death.split(' ').slice(1);
  const complaints = log(exit).filter(({ level }) => level >= 50);
  assert.equal(complaints.length, 1, exit.stderr);
  const lostText =
    /^the (\w+) died \(([^\n]+)\): at most (\d+) received events are lost, all others are safe; /;
  const [, who, why, lost] = lostText.exec(complaints[0].msg) ?? [];
  assert.equal(who, stage, complaints[0].msg);
  assert.match(why, /the test wants it|exited|memory/);
  assert.ok(Number(lost) + recorder.durableEvents() <= made, 'only what was received can be lost');
  checkRecorded(recorder.durableEvents());
  await injector.flush();
}

/**
 * What was acknowledged is there, and nothing twice. Only starts have been made so far, in the order of their
 * index.
 */
function checkRecorded(acknowledged: number): void {
  const tally = new FloodTally({ count: 1_000_000 });
  for (const name of logFiles()) tally.add(ctrecorder(['-L', '-f', name], folder));
  assert.equal(tally.foreign, 0);
  const recorded = countOf(tally.starts, 1);
  assert.equal(recorded + countOf(tally.starts, 0), 1_000_000, 'no start is there twice');
  assert.equal(
    countOf(tally.starts.subarray(0, recorded), 1),
    recorded,
    'and none is missing between others',
  );
  assert.ok(
    recorded >= acknowledged && acknowledged > 0,
    `${recorded} recorded, ${acknowledged} acknowledged`,
  );
}

const gapCauses = (name: string) =>
  [
    ...ctrecorder(['-L', '--show-gaps', '-f', name], folder).matchAll(/^# gap .* lost=(.*) cause=(.*)$/gm),
  ].map(([, lost, cause]) => `${cause}: ${lost}`);

async function recordAgain(namespace: Namespace): Promise<void> {
  const next = await record(namespace);
  const { code, stderr } = await next.stop();
  assert.equal(code, 0, stderr);
}

for (const how of ['throw', 'exhaust', 'terminate']) {
  describe(`${how}: a thread ends`, { skip }, () => {
    it('the parser: the file is closed with a gap, and the next recorder goes on behind it', async () => {
      await withNamespaces(['death'], async (namespace) => {
        await recordToDeath(namespace, `${how} parser`);
        assert.deepEqual(logFiles(), ['nat.ct']);
        assert.match(ctrecorder(['-T', 'nat.ct'], folder), /: sound, .*, closed \(unclean end\)\n$/);
        assert.deepEqual(gapCauses('nat.ct'), ['recorder died: unknown']);
        await recordAgain(namespace);
        assert.deepEqual(gapCauses('nat.1.ct'), ['recorder not running: unknown']);
        ctrecorder(['-T', 'nat.ct', 'nat.1.ct'], folder);
      });
    });

    it('the writer: its file is left to the next recorder, which closes it with a gap', async () => {
      await withNamespaces(['death'], async (namespace) => {
        await recordToDeath(namespace, `${how} writer`);
        assert.deepEqual(logFiles(), ['nat.ct.part']);
        await recordAgain(namespace);
        assert.deepEqual(logFiles(), ['nat.ct', 'nat.1.ct']);
        assert.match(ctrecorder(['-T', 'nat.ct'], folder), /: sound, .*, closed \(unclean end\)\n$/);
        assert.deepEqual(gapCauses('nat.ct'), ['recorder died: unknown']);
        ctrecorder(['-T', 'nat.ct', 'nat.1.ct'], folder);
      });
    });
  });
}
