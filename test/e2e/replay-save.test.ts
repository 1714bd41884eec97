/** `--save-messages` of the built program: what it says, and that the recording never suffers from it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../lab/folder.js';
import { labObstacle, withNamespaces } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';
import { capturedEvents } from '../record/replay/capture-listing.js';
import { captureFile, messages, packetsOf, pcap } from '../record/replay/captures.js';
import { assertEndedWell, demo, linesIn, logged, record, WARN } from '../record/replay/program.js';
import { smallDisk } from '../record/replay/small-disk.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

const linesOfCapture = async (capture: Uint8Array) => (await capturedEvents(capture)).map(({ line }) => line);

/** Record a capture that is too much for what is saved beside it; answers what was said about that. */
async function recordBeside(context: TestContext, saved: string, ...options: string[]): Promise<string[]> {
  const capture = pcap(packetsOf(messages(20_000)));
  const folder = temporaryDirectory(context);
  const finished = record(captureFile(context, capture), folder, '--save-messages', saved, ...options);
  assertEndedWell(finished, 20_000);
  const lines = await linesOfCapture(capture);
  assert.deepEqual(linesIn(folder), lines);
  const kept = await linesOfCapture(readFileSync(saved));
  assert.ok(kept.length > 0 && kept.length < lines.length);
  assert.deepEqual(kept, lines.slice(0, kept.length));
  return logged(finished.stderr, WARN);
}

describe('--save-messages', () => {
  it('of a replay is replayed as the same', async (context) => {
    const [folder, again] = [temporaryDirectory(context), temporaryDirectory(context)];
    const saved = join(temporaryDirectory(context), 'saved.pcap');
    assertEndedWell(record(demo, folder, '--save-messages', saved), 462);
    assertEndedWell(record(saved, again), 462);
    assert.deepEqual(linesIn(again), linesIn(folder));
  });

  it('that reaches its limit is said once, and everything is recorded', async (context) => {
    const saved = join(temporaryDirectory(context), 'saved.pcap');
    assert.deepEqual(await recordBeside(context, saved, '--save-limit', '1M'), [
      `${saved}: --save-limit 1048576 reached; no more messages are saved`,
    ]);
    assert.ok(statSync(saved).size <= 2 ** 20);
  });

  it('on a full disk is said once, and everything is recorded', {
    skip: smallDisk.obstacle,
  }, async (context) => {
    const saved = join(smallDisk.mount(context, '1m'), 'saved.pcap');
    assert.deepEqual(await recordBeside(context, saved), [
      `${saved}: no more messages are saved (ENOSPC); recording continues`,
    ]);
  });
});

describe('--save-messages is refused before anything is recorded', () => {
  function assertRefused({ code, stderr }: { code: number | null; stderr: string }, saved: string): void {
    assert.equal(code, 1, stderr);
    const errors = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    assert.deepEqual(errors, [`ctrecorder: --save-messages ${saved}: already exists; name another file`]);
  }

  it('when the file exists, or a link', (context) => {
    const folder = temporaryDirectory(context);
    const saved = captureFile(context, Buffer.from('mine'));
    const link = join(temporaryDirectory(context), 'link');
    symlinkSync(saved, link);
    for (const path of [saved, link]) assertRefused(record(demo, folder, '--save-messages', path), path);
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(readFileSync(saved, 'utf8'), 'mine');
  });

  it('when the file exists, also of the kernel', { skip }, async (context) => {
    const folder = temporaryDirectory(context);
    writeFileSync(join(folder, 'saved.pcap'), 'mine');
    await withNamespaces(['save'], async (namespace) => {
      const args = ['-CF', '-f', 'x.ct', '--save-messages', 'saved.pcap'];
      const recorder = await ObservedProcess.recorder(namespace, args, { cwd: folder });
      assertRefused(await recorder.exit, 'saved.pcap');
    });
    assert.deepEqual(readdirSync(folder), ['saved.pcap']);
  });

  it('and leaves no file when something else keeps it from recording', (context) => {
    const folder = temporaryDirectory(context);
    const saved = join(folder, 'saved.pcap');
    const { code } = record(join(folder, 'missing.pcap'), folder, '--save-messages', saved);
    assert.equal(code, 1);
    assert.ok(!existsSync(saved));
  });
});
