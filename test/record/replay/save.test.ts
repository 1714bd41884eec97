import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { SystemFailure } from '../../../src/base/errors.js';
import { MessageSaver, SaveFile } from '../../../src/record/replay/save.js';
import { temporaryDirectory } from '../../lab/folder.js';
import { cooked, messages, readAll, type TestPacket } from './captures.js';
import { asTaken, replay } from './replay.js';
import { smallDisk } from './small-disk.js';

const all = messages(2000);
const PCAP_HEADER_BYTES = 24;

interface Saved {
  readonly path: string;
  readonly why: string[];
}

/** Save messages out of a larger memory, as the parser does, until the end. */
function save(path: string, limitBytes: number, saved: readonly TestPacket[] = all): Saved {
  const why: string[] = [];
  const file = SaveFile.create(path);
  const saver = new MessageSaver({ fd: file.fd, path, limitBytes }, (reason) => why.push(reason));
  const memory = new Uint8Array(4096).fill(0xee);
  for (const { timeUs, bytes, realBytes = bytes.length } of saved) {
    memory.set(bytes, 64);
    saver.save(memory, 64, bytes.length, realBytes, timeUs);
  }
  saver.close();
  saver.close();
  file.close();
  return { path, why };
}

const someFile = (context: TestContext) => join(temporaryDirectory(context), 'saved.pcap');
const asCooked = ({ timeUs, bytes }: TestPacket) => ({
  timeUs,
  bytes: new Uint8Array(cooked(bytes)),
  realBytes: bytes.length + 16,
});

describe('saved messages', () => {
  it('are the packets of an nlmon interface', async (context) => {
    const { path, why } = save(someFile(context), 2 ** 30);
    assert.deepEqual(await readAll(readFileSync(path)), all.map(asCooked));
    assert.deepEqual(why, []);
    const header = readFileSync(path).toString('hex', 0, PCAP_HEADER_BYTES);
    // nanoseconds | version 2.4 | time zone, accuracy | snap length | LINKTYPE_NETLINK
    assert.equal(header, ['4d3cb2a1', '02000400', '0000000000000000', '00000100', 'fd000000'].join(''));
    if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o7777, 0o640);
  });

  it('are replayed as the same messages', async (context) => {
    const { path } = save(someFile(context), 2 ** 30);
    const { taken, error } = await replay(context, readFileSync(path));
    assert.equal(error, undefined);
    assert.deepEqual(taken, all.map(asTaken));
  });

  it('say how long they were when they did not fit into a slot', async (context) => {
    const [{ timeUs, bytes }] = all;
    const { path } = save(someFile(context), 2 ** 30, [{ timeUs, bytes, realBytes: 700 }]);
    const [{ realBytes, bytes: kept }] = await readAll(readFileSync(path));
    assert.equal(realBytes, 716);
    assert.equal(kept.length, bytes.length + 16);
  });

  it('may be none', async (context) => {
    assert.deepEqual(await readAll(readFileSync(save(someFile(context), 2 ** 30, []).path)), []);
  });
});

describe('--save-limit', () => {
  for (const limitBytes of [PCAP_HEADER_BYTES, 300, 10_000, 300_000])
    it(`${limitBytes} ends it once, with a whole packet`, async (context) => {
      const { path, why } = save(someFile(context), limitBytes);
      const sizeBytes = statSync(path).size;
      assert.ok(sizeBytes <= limitBytes);
      const found = await readAll(readFileSync(path));
      assert.deepEqual(found, all.slice(0, found.length).map(asCooked));
      const nextBytes = 16 + 16 + all[found.length].bytes.length;
      assert.ok(sizeBytes + nextBytes > limitBytes, 'as many as fit');
      assert.deepEqual(why, [`${path}: --save-limit ${limitBytes} reached; no more messages are saved`]);
    });

  it('that is not reached says nothing', (context) => {
    const { path } = save(someFile(context), 2 ** 30);
    const exact = statSync(path).size;
    assert.deepEqual(save(someFile(context), exact).why, []);
    assert.equal(save(someFile(context), exact - 1).why.length, 1);
  });
});

describe('a full disk', { skip: smallDisk.obstacle }, () => {
  it('ends saving once, with a whole packet', async (context) => {
    const path = join(smallDisk.mount(context, '1m'), 'saved.pcap');
    const many = Array.from({ length: 5 }, () => all).flat();
    const { why } = save(path, 2 ** 30, many);
    assert.deepEqual(why, [`${path}: no more messages are saved (ENOSPC); recording continues`]);
    const found = await readAll(readFileSync(path));
    assert.ok(found.length > 1000);
    assert.deepEqual(found, many.slice(0, found.length).map(asCooked));
  });

  it('from the beginning leaves nothing', (context) => {
    const disk = smallDisk.mount(context, '64k');
    assert.throws(() => writeFileSync(join(disk, 'ballast'), new Uint8Array(2 ** 20)), { code: 'ENOSPC' });
    const { path, why } = save(join(disk, 'saved.pcap'), 2 ** 30);
    assert.equal(why.length, 1);
    assert.ok(!existsSync(path));
  });

  it('that is told of by the limit too is told of once', (context) => {
    const path = join(smallDisk.mount(context, '64k'), 'saved.pcap');
    const { why } = save(path, 200_000);
    assert.deepEqual(why, [`${path}: no more messages are saved (ENOSPC); recording continues`]);
  });
});

describe('the file of --save-messages', () => {
  function assertRefused(path: string, what: RegExp): void {
    assert.throws(
      () => SaveFile.create(path),
      (error) => {
        assert.ok(error instanceof SystemFailure);
        assert.ok(error.message.startsWith(`--save-messages ${path}: `));
        assert.match(error.message, what);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      },
    );
  }

  it('must not exist', (context) => {
    const path = someFile(context);
    writeFileSync(path, 'mine');
    assertRefused(path, /already exists; name another file$/);
    assert.equal(readFileSync(path, 'utf8'), 'mine');
  });

  it('is never reached through a symbolic link', { skip: process.platform === 'win32' }, (context) => {
    const path = someFile(context);
    const target = join(temporaryDirectory(context), 'target');
    symlinkSync(target, path);
    assertRefused(path, /already exists; name another file$/);
    assert.ok(!existsSync(target));
    writeFileSync(target, 'mine');
    assertRefused(path, /already exists; name another file$/);
    assert.equal(readFileSync(target, 'utf8'), 'mine');
  });

  it('needs a folder', (context) => {
    assertRefused(
      join(temporaryDirectory(context), 'missing', 'saved.pcap'),
      /cannot be created \(ENOENT\)$/,
    );
  });

  it('goes when nothing was written', (context) => {
    const file = SaveFile.create(someFile(context));
    assert.ok(existsSync(file.path));
    file.close();
    assert.ok(!existsSync(file.path));
  });

  it('stays when it is another file by now', (context) => {
    const file = SaveFile.create(someFile(context));
    rmSync(file.path);
    writeFileSync(file.path, '');
    file.close();
    assert.ok(existsSync(file.path));
  });
});
