/** `--reliable`, and what it does to everybody who listens: no end is missing, and none is recorded twice. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ByteInput, FileFeed } from '../../src/base/disk/input.js';
import { wallClockUs } from '../../src/base/libc/clock.js';
import { RecordKind } from '../../src/event/batch.js';
import { BlockType } from '../../src/log/format/format.js';
import { parseJson } from '../../src/log/format/json-blocks.js';
import { readPreamble } from '../../src/log/read/beginning.js';
import { openLog } from '../../src/log/read/open.js';
import { scanBlocks } from '../../src/log/read/scan.js';
import type { FloodPlan } from '../lab/flood.js';
import { countOf, FloodTally } from '../lab/flood-tally.js';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { Gateway } from '../lab/gateway.js';
import { Injector } from '../lab/inject.js';
import { raiseConntrackLimits } from '../lab/limits.js';
import { ctrecorder, Tally } from '../lab/listing.js';
import { labObstacle, type Namespace, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
/** Larger than any buffer that was asked for, smaller than any limit of the table. */
const COUNT = 20_000;

let folder: string;
beforeEach(() => {
  folder = makeFolder('reliable');
});
afterEach(() => removeFolder(folder));

/** A recorder that is ready; its only file is NAME.ct in `folder`. */
async function record(namespace: Namespace, name: string, ...options: string[]): Promise<ObservedProcess> {
  const args = ['-C', '-F', '-f', `${name}.ct`, '-p', 'all', '--progress-fd', '3', ...options];
  const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
  await recorder.says(/recording to/);
  return recorder;
}

/** Answers what it says of itself at its end. */
async function stopWell(recorder: ObservedProcess): Promise<{ lost: number; repeats: number; text: string }> {
  const { code, stderr } = await recorder.stop();
  assert.equal(code, 0, stderr);
  const { msg, lost, repeats } = JSON.parse(stderr.trim().split('\n').at(-1)!);
  return { lost, repeats, text: msg };
}

/** A listener in reliable mode that takes nothing: it stands still, and its buffer holds six events. */
async function blockedListener(namespace: Namespace): Promise<ObservedProcess> {
  const blocked = await record(namespace, 'blocked', '--reliable', '-b', '4');
  blocked.signal('SIGSTOP');
  return blocked;
}

const file = (name: string) => path.join(folder, `${name}.ct`);
const list = (name: string, ...options: string[]) => ctrecorder(['-L', ...options, '-f', file(name)]);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('another program in reliable mode that takes nothing', { skip }, () => {
  it('makes the kernel repeat ends: recorders, reliable or not, record each once', async () => {
    const plan: FloodPlan = { count: COUNT };
    await withNamespaces(['reliable'], async (namespace) => {
      const plain = await record(namespace, 'plain', '-b', '65536');
      const own = await record(namespace, 'own', '-b', '65536', '--reliable');
      const recorders = [plain, own];
      const blocked = await blockedListener(namespace);
      const injector = await Injector.start(namespace);
      await injector.create({ count: 1 });
      for (const recorder of recorders)
        await recorder.says(/another program is listening .* in reliable mode/);
      await injector.create({ first: 1, count: COUNT - 1 });
      await injector.flush();
      for (const recorder of recorders)
        await recorder.until(() => recorder.durableEvents() === 2 * COUNT, 'every event');
      assert.ok(namespace.conntrackCount() > COUNT / 2, 'the kernel keeps what it could not deliver');
      blocked.kill();
      await until(() => namespace.conntrackCount() === 0);
      for (const [i, name] of ['plain', 'own'].entries()) {
        const { lost, repeats } = await stopWell(recorders[i]);
        assert.equal(lost, 0);
        assert.ok(repeats > COUNT / 2, `${repeats} repeats`);
        const tally = new FloodTally(plan);
        tally.add(list(name));
        tally.assertComplete();
      }
    });
  });

  it('makes the kernel repeat the starts of real connections: each is recorded once', async () => {
    const lab = await Gateway.start();
    try {
      const recorder = await record(lab.gateway, 'plain');
      const blocked = await blockedListener(lab.gateway);
      const made = lab.ping(1);
      await recorder.says(/another program is listening .* in reliable mode/);
      made.push(...(await lab.fetch(200)), ...(await lab.fetch(50, { family: 6 })));
      made.push(...(await lab.udpAnswered(50)));
      blocked.kill();
      await lab.endAll();
      await until(() => lab.gateway.conntrackCount() === 0);
      const { repeats } = await stopWell(recorder);
      assert.ok(repeats > made.length, `${repeats} repeats`);
      const tally = new Tally();
      tally.add(list('plain'));
      assert.deepEqual(tally.differences(made), []);
    } finally {
      lab.remove();
    }
  });
});

describe('--reliable', { skip }, () => {
  it('a recorder that stood still through 200,000 connections misses no end', async () => {
    const count = 200_000;
    const release = raiseConntrackLimits(2 * count);
    try {
      await withNamespaces(['reliable'], async (namespace) => {
        namespace.conntrackSysctls({ timestamp: 1 });
        const recorder = await record(namespace, 'own', '--reliable', '-b', '4096');
        const injector = await Injector.start(namespace);
        recorder.signal('SIGSTOP');
        await injector.create({ count });
        await injector.flush();
        const goesOnUs = wallClockUs();
        assert.ok(namespace.conntrackCount() > 0.9 * count, 'they wait in the table');
        recorder.signal('SIGCONT');
        await until(() => namespace.conntrackCount() === 0);
        const { lost, text } = await stopWell(recorder);
        assert.match(text, new RegExp(`at most ${lost} lost by the kernel \\(delivery_failures ${lost}\\)`));
        const tally = new FloodTally({ count });
        tally.add(list('own'));
        assert.equal(tally.foreign, 0);
        assert.equal(countOf(tally.ends, 1), count, 'ends that are there once');
        const starts = countOf(tally.starts, 1);
        assert.equal(starts + countOf(tally.starts, 0), count, 'no start is there twice');
        assert.ok(starts < count && starts + lost >= count, `${starts} starts, at most ${lost} lost`);
        assert.match(list('own', '--show-gaps'), /^# gap .* lost=<=\d+ cause=/m);
        assert.ok((await latestEndUs('own')) < goesOnUs, 'an end has its own time, not that of its delivery');
      });
    } finally {
      release();
    }
  });

  it('is off while the table is fuller than the limit, on again when it has room, and the file says so', async () => {
    await withNamespaces(['reliable'], async (namespace) => {
      const recorder = await record(namespace, 'own', '--reliable', '--reliable-max-table', '1%');
      await recorder.says(/--reliable is on: .* 0 entries \(limit \d+\)"/);
      const injector = await Injector.start(namespace);
      let made = 0;
      for (; !recorder.stderr.includes('--reliable is off'); made += 500)
        await injector.create({ first: made, count: 500 });
      recorder.signal('SIGSTOP');
      await injector.flush();
      assert.equal(namespace.conntrackCount(), 0, 'the kernel keeps nothing for it');
      recorder.signal('SIGCONT');
      await recorder.until(() => recorder.stderr.split('--reliable is on').length === 3, 'on again');
      const { lost } = await stopWell(recorder);
      const tally = new FloodTally({ count: made });
      tally.add(list('own'));
      assert.ok(countOf(tally.starts, 1) + countOf(tally.ends, 1) + lost >= 2 * made);
      const switches = await checkpoints('own');
      assert.deepEqual(
        switches.map(({ reliable }) => reliable),
        [true, false, true],
      );
      const [, { entries, entriesMax }] = switches;
      assert.ok(entries > entriesMax / 100 && entries <= made, `${entries} of ${entriesMax}`);
    });
  });
});

async function latestEndUs(name: string): Promise<number> {
  let latestUs = 0;
  const source = await openLog(file(name));
  for await (const item of source.items()) {
    if (item.type !== 'records') continue;
    const { batch } = item;
    for (let row = 0; row < batch.count; row++)
      if (batch.kind[row] === RecordKind.end) latestUs = Math.max(latestUs, batch.timeUs[row]);
  }
  await source.close();
  return latestUs;
}

interface Switch {
  readonly reliable: boolean;
  readonly entries: number;
  readonly entriesMax: number;
}

/** What the file says about reliable mode. */
async function checkpoints(name: string): Promise<Switch[]> {
  const found: Switch[] = [];
  const input = new ByteInput(new FileFeed(file(name)));
  try {
    await readPreamble(input, name);
    for await (const block of scanBlocks(input))
      if (block.type === 'block' && block.frame.type === BlockType.checkpoint) {
        const checkpoint = parseJson(block) as Partial<Switch>;
        if (checkpoint.reliable !== undefined) found.push(checkpoint as Switch);
      }
  } finally {
    await input.close();
  }
  return found;
}
