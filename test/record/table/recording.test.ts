/** What the real program records beside the events: what was open already, and what it missed. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FloodPlan } from '../../lab/flood.js';
import { Injector } from '../../lab/inject.js';
import { raiseConntrackLimits } from '../../lab/limits.js';
import { ctrecorder } from '../../lab/listing.js';
import { type ConntrackSysctls, labObstacle, type Namespace, withNamespaces } from '../../lab/namespace.js';
import type { ObservedProcess } from '../../lab/process.js';
import { assertReduced } from '../../operate/daemon/threads.js';
import {
  connectionsOf,
  countOf,
  hasSnapshot,
  type PlanRow,
  readRows,
  record,
  rotate,
  saysTimes,
  stopWell,
  withFolder,
} from './recording.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);
const NOBODY = 65534;
const LARGE = 300_000;

interface Scene {
  readonly namespace: Namespace;
  readonly folder: string;
  readonly injector: Injector;
}

function inScene(sysctls: ConntrackSysctls, use: (scene: Scene) => Promise<void>): Promise<void> {
  return withFolder((folder) =>
    withNamespaces(['table'], async (namespace) => {
      namespace.conntrackSysctls(sysctls);
      const injector = await Injector.start(namespace);
      await use({ namespace, folder, injector });
    }),
  );
}

/** Do it, and answer between which times, microseconds since the epoch. */
async function timed(work: () => Promise<unknown>): Promise<{ fromUs: number; toUs: number }> {
  const fromUs = Date.now() * 1000;
  await work();
  return { fromUs, toUs: (Date.now() + 1) * 1000 };
}

/** So long nothing must have been lost before table and log are compared (src/record/main/table-stage.ts). */
const QUIET_MS = 5000;
const AUDITED = /"table: [^"]*"/;
const indexes = (rows: readonly { readonly index: number }[]) =>
  rows.map(({ index }) => index).sort((a, b) => a - b);
const range = (plan: FloodPlan) => Array.from({ length: plan.count }, (_, i) => (plan.first ?? 0) + i);

/** Everything that the recorder received is durable. */
async function flushed(recorder: ObservedProcess): Promise<void> {
  const said = countOf(recorder, /statistics: /);
  recorder.signal('SIGUSR1');
  await saysTimes(recorder, /statistics: /, said + 1);
}

describe('what was there before the recorder', { skip }, () => {
  const old: FloodPlan = { count: 500 };
  const young: FloodPlan = { count: 300, first: 500, proto: 17 };

  for (const timestamp of [0, 1] as const)
    it(`is one snapshot record each, never a start, with the kernel's start time if it has one (${timestamp})`, () =>
      inScene({ timestamp, events: 1 }, async ({ namespace, folder, injector }) => {
        const made = await timed(() => injector.create(old));
        const recorder = await record(namespace, folder, '-p', 'all');
        await saysTimes(recorder, AUDITED, 1);
        await injector.create(young);
        await injector.flush();
        const [file] = await stopWell(recorder, folder);
        const { snapshots, starts, ends, derived } = await readRows(file);
        assert.deepEqual(indexes(snapshots), range(old));
        assert.deepEqual(indexes(starts), range(young));
        assert.deepEqual(indexes(ends), range({ count: 800 }));
        assert.deepEqual(derived, []);
        for (const { startUs } of snapshots)
          if (timestamp === 0) assert.equal(startUs, 0);
          else assert.ok(startUs >= made.fromUs && startUs <= made.toUs);
        for (const { index, start, end } of connectionsOf(file)) {
          assert.equal(start === '-', timestamp === 0 && index < old.count);
          assert.notEqual(end, '-');
        }
      }));

  it('is found by a recorder of one protocol only where it is of that protocol', () =>
    inScene({ events: 1 }, async ({ namespace, folder, injector }) => {
      await injector.create(old);
      await injector.create(young);
      const recorder = await record(namespace, folder, '-p', 'udp');
      await saysTimes(recorder, AUDITED, 1);
      const [file] = await stopWell(recorder, folder);
      assert.deepEqual(indexes((await readRows(file)).snapshots), range(young));
    }));

  it('is found with the rights of nobody, and the worker has no right but CAP_NET_ADMIN', () =>
    inScene({ events: 1 }, async ({ namespace, folder, injector }) => {
      chownSync(folder, NOBODY, NOBODY);
      chmodSync(folder, 0o755);
      await injector.create(old);
      const recorder = await record(namespace, folder, '-U', 'nobody');
      await recorder.says(/table: 500 entries, 500 were already open/);
      assertReduced(recorder.pid, NOBODY, String(NOBODY), 1);
      const [file] = await stopWell(recorder, folder);
      assert.deepEqual(indexes((await readRows(file)).snapshots), range(old));
    }));

  // With nf_conntrack_events=2, the default, it is so while nobody listens on the whole machine; 0 is the
  // same for certain.
  it('ends without an event when it was made while the kernel made none: the next audit tells', () =>
    inScene({ timestamp: 1, events: 0 }, async ({ namespace, folder, injector }) => {
      await injector.create(old);
      namespace.conntrackSysctls({ events: 2 });
      const recorder = await record(namespace, folder);
      await saysTimes(recorder, AUDITED, 1);
      const gone: FloodPlan = { count: 200 };
      const { fromUs, toUs } = await timed(() => injector.remove(gone));
      await rotate(recorder);
      await saysTimes(recorder, AUDITED, 2);
      const [first, second] = await stopWell(recorder, folder);
      assert.deepEqual((await readRows(first)).ends, []);
      const { snapshots, derived, ends } = await readRows(second);
      assert.deepEqual(indexes(snapshots), range(old), 'the log knew no better when the file began');
      assert.deepEqual(ends, []);
      assert.deepEqual(indexes(derived), range(gone));
      for (const { timeUs, endUs } of derived) assert.ok(endUs <= fromUs && timeUs >= toUs - 1000);
      const listed = [...connectionsOf(second)];
      assert.deepEqual(indexes(listed), range(old));
      for (const { end } of listed) assert.equal(end, '-');
    }));
});

describe('rotation', { skip }, () => {
  const parts: FloodPlan[] = [
    { count: 200 },
    { count: 200, first: 200 },
    { count: 200, first: 400 },
    { count: 200, first: 600 },
  ];
  const [before_, first, second, third] = parts;

  /** Three files: some connections end where they began, some in the next file, some never. */
  async function threeFiles(scene: Scene, ...options: string[]): Promise<string[]> {
    const { namespace, folder, injector } = scene;
    await injector.create(before_);
    const recorder = await record(namespace, folder, ...options);
    const isKept = !options.includes('--no-snapshot');
    const settled = async (snapshots: number) => {
      await flushed(recorder);
      if (!isKept) return;
      await saysTimes(recorder, /snapshot: /, snapshots);
      await saysTimes(recorder, AUDITED, snapshots + 1);
    };
    await settled(0);
    await injector.create(first);
    await injector.remove({ count: 100, first: 200 });
    await rotate(recorder);
    await settled(1);
    await injector.create(second);
    await injector.remove({ count: 100, first: 0 });
    await injector.remove({ count: 50, first: 300 });
    await rotate(recorder);
    await settled(2);
    await injector.create(third);
    await injector.remove({ count: 50, first: 350 });
    return stopWell(recorder, folder);
  }

  for (const timestamp of [0, 1] as const)
    it(`leaves files that answer on their own, each connection once and with its start (timestamp=${timestamp})`, () =>
      inScene({ timestamp, events: 1 }, async (scene) => {
        const files = await threeFiles(scene);
        assert.equal(files.length, 3);
        assert.deepEqual(files.map(hasSnapshot), [false, true, true]);
        const open = [
          range({ count: 400 }),
          range({ count: 600 }).filter((index) => index < 200 || index >= 300),
          range({ count: 800 }).filter((index) => (index >= 100 && index < 200) || index >= 350),
        ];
        const stillOpen = [
          range({ count: 400 }).filter((index) => index < 200 || index >= 300),
          range({ count: 600 }).filter((index) => (index >= 100 && index < 200) || index >= 350),
          range({ count: 800 }).filter((index) => (index >= 100 && index < 200) || index >= 400),
        ];
        for (const [i, file] of files.entries()) {
          const listed = [...connectionsOf(file)];
          assert.deepEqual(indexes(listed), open[i]);
          assert.deepEqual(indexes(listed.filter(({ end }) => end === '-')), stillOpen[i]);
          const unknown = listed.filter(({ start }) => start === '-');
          assert.deepEqual(indexes(unknown), timestamp === 1 ? [] : open[i].filter((index) => index < 200));
          assert.deepEqual((await readRows(file)).derived, []);
        }
      }));

  it('with --no-snapshot there are events only', () =>
    inScene({ events: 1 }, async (scene) => {
      const files = await threeFiles(scene, '--no-snapshot');
      assert.equal(files.length, 3);
      for (const file of files) {
        const { snapshots, derived } = await readRows(file);
        assert.deepEqual([snapshots, derived], [[], []]);
      }
    }));

  it('a squeezed file has what was open at its beginning, with its start', () =>
    inScene({ events: 1 }, async (scene) => {
      const [, file] = await threeFiles(scene);
      const listed = [...connectionsOf(file)].map((line) => JSON.stringify(line)).sort();
      ctrecorder(['-S', '-f', file]);
      assert.deepEqual([...connectionsOf(file)].map((line) => JSON.stringify(line)).sort(), listed);
    }));
});

describe('after an overrun', { skip }, () => {
  const kept: FloodPlan = { count: 300 };
  const removed: FloodPlan = { count: 3000, first: 1000 };
  const created: FloodPlan = { count: 3000, first: 10_000 };

  for (const timestamp of [0, 1] as const)
    it(`each lost end and start is found, between the right times (timestamp=${timestamp})`, () =>
      inScene({ timestamp, events: 1 }, async ({ namespace, folder, injector }) => {
        const recorder = await record(namespace, folder, '-b', '512');
        await saysTimes(recorder, AUDITED, 1);
        for (const plan of [kept, removed]) await injector.create(plan, 5000);
        await rotate(recorder);
        await saysTimes(recorder, AUDITED, 2);
        recorder.signal('SIGSTOP');
        const start = await timed(() => injector.create(created));
        const end = await timed(() => injector.remove(removed));
        recorder.signal('SIGCONT');
        await recorder.says(/without an event/);
        const files = await stopWell(recorder, folder);
        const [, file] = files;
        const { starts, ends, derived } = await readRows(file);
        const derivedStarts = derived.filter(({ kind }) => kind === 1);
        const derivedEnds = derived.filter(({ kind }) => kind === 3);
        assert.ok(derivedStarts.length > 0 && derivedEnds.length > 0);
        assert.deepEqual(indexes([...starts, ...derivedStarts]), range(created));
        assert.deepEqual(indexes([...ends, ...derivedEnds]), range(removed));
        const lost = created.count + removed.count - starts.length - ends.length;
        const isBetween = ({ endUs, timeUs }: PlanRow, { fromUs, toUs }: { fromUs: number; toUs: number }) =>
          endUs <= fromUs && timeUs >= toUs - 1000;
        for (const row of derivedStarts)
          if (timestamp === 0) assert.ok(row.startUs === 0 && isBetween(row, start));
          else assert.ok(row.startUs >= start.fromUs && row.startUs <= start.toUs && row.endUs === 0);
        for (const row of derivedEnds) assert.ok(isBetween(row, end));

        const listed = [...connectionsOf(file)];
        assert.deepEqual(indexes(listed), [...range(kept), ...range(removed), ...range(created)]);
        const unseen = new Set(derivedEnds.map(({ index }) => index));
        const unknown = new Set(timestamp === 1 ? [] : derivedStarts.map(({ index }) => index));
        for (const { index, start, end } of listed) {
          assert.equal(end === '-', index < 1000 || index >= 10_000 || unseen.has(index));
          assert.equal(start === '-', unknown.has(index));
        }
        assert.match(
          ctrecorder(['-T', ...files]),
          new RegExp(
            `\\(${starts.length} starts?, ${ends.length} ends?, ${derived.length} from the table\\), \\d gaps? \\(${lost} events? lost\\)`,
          ),
        );
        const json = ctrecorder(['-L', '-H', '--json', '--show-snapshots', '--show-gaps', '-f', file])
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line));
        const told = json.filter((row) => row.derived === true);
        assert.equal(told.length, derived.length);
        assert.equal(told.filter((row) => row.endAfter < row.endBefore).length, derivedEnds.length);
        assert.equal(
          json.filter((row) => row.event === 'gap').reduce((sum, gap) => sum + gap.lost, 0),
          lost,
        );
        const connections = ctrecorder(['-L', '-H', '-s', '--json', '-f', file]).trim().split('\n');
        const ended = connections.map((line) => JSON.parse(line)).filter((row) => 'endBefore' in row);
        assert.equal(ended.length, derivedEnds.length);
      }));
});

describe('after two overruns', { skip }, () => {
  it('the second postpones the comparison, and one serves both', () =>
    inScene({ events: 1 }, async ({ namespace, folder, injector }) => {
      const recorder = await record(namespace, folder, '-b', '64');
      await saysTimes(recorder, AUDITED, 1);
      const overrun = async (first: number) => {
        recorder.signal('SIGSTOP');
        await injector.create({ count: 1000, first });
        const overMs = Date.now();
        recorder.signal('SIGCONT');
        await flushed(recorder);
        return { overMs, lost: Number([...recorder.stderr.matchAll(/received, (\d+) lost/g)].at(-1)![1]) };
      };
      const { lost } = await overrun(0);
      assert.ok(lost > 0);
      await sleep(QUIET_MS / 2);
      const second = await overrun(10_000);
      assert.ok(second.lost > lost);
      await recorder.says(/without an event/);
      const audits = recorder.stderr.split('\n').filter((line) => AUDITED.test(line));
      assert.equal(audits.length, 2, 'at the start, and after both');
      const atMs = (JSON.parse(audits[1]) as { time: number }).time;
      assert.ok(atMs >= second.overMs + QUIET_MS, `${atMs - second.overMs} ms after the second`);
      assert.match(audits[1], new RegExp(`, ${second.lost} starts? and 0 ends without an event`));
      await stopWell(recorder, folder);
    }));
});

describe('the table worker', { skip }, () => {
  it('that dies costs one line; the recording goes on, and the next file has a new one', () =>
    inScene({ timestamp: 1, events: 1 }, async ({ namespace, folder, injector }) => {
      const recorder = await record(namespace, folder);
      await saysTimes(recorder, AUDITED, 1);
      await injector.create({ count: 10 });
      await flushed(recorder);
      // A block that it has not read back yet is damaged: the log that it lives on is not to be had.
      const live = /recording to (\S+\.part)/.exec(recorder.stderr)![1];
      const bytes = readFileSync(live);
      const last = bytes.lastIndexOf('\x89CTblk', undefined, 'latin1');
      bytes[last + 50] ^= 1;
      writeFileSync(live, bytes, { flag: 'r+' });
      await rotate(recorder);
      await recorder.says(/table worker: [^"]*block \d+ is missing; recording continues/);
      await injector.create({ count: 10, first: 10 });
      await rotate(recorder);
      await recorder.says(/table: 20 entries, 20 were already open/);
      await injector.remove({ count: 10 });
      await rotate(recorder);
      await saysTimes(recorder, /snapshot: 10 connections/, 1);
      const files = await stopWell(recorder, folder);
      assert.equal(countOf(recorder, /table worker:/), 1);
      assert.deepEqual(indexes((await readRows(files[1])).starts), range({ count: 10, first: 10 }));
      assert.deepEqual(indexes([...connectionsOf(files[2])]), range({ count: 20 }));
      assert.deepEqual(indexes([...connectionsOf(files[3])]), range({ count: 10, first: 10 }));
    }));

  describe('with a large table', () => {
    let release: () => void;
    before(() => {
      release = raiseConntrackLimits(LARGE + 10_000);
    });
    after(() => release());

    it('is stopped in the middle of a dump, and nothing is lost', () =>
      inScene({ events: 1 }, async ({ namespace, folder, injector }) => {
        await injector.create({ count: LARGE });
        const recorder = await record(namespace, folder, '--stop-timeout', '10s');
        const events: FloodPlan = { count: 2000, first: LARGE };
        await injector.create(events);
        const isDumping = () =>
          namespace
            .run('cat', ['/proc/net/netlink'])
            .split('\n')
            .some((line) => line.trim().split(/\s+/)[6] === '1');
        await recorder.until(isDumping, 'a dump');
        const [file] = await stopWell(recorder, folder);
        assert.equal(countOf(recorder, AUDITED), 0, 'the dump was under way');
        assert.deepEqual(indexes((await readRows(file)).starts), range(events));
        assert.match(recorder.stderr, /"msg":"done: 2000 messages received, 2000 events recorded, 0 lost/);
      }));
  });
});
