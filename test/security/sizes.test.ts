/** Sizes that a file claims: whoever reads it takes no more memory than for what is really there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { BLOCK_HEADER_BYTES, BlockField, MAX_PAYLOAD_BYTES } from '../../src/log/format/format.js';
import { SectionCodec } from '../../src/log/format/section-codec.js';
import { ByteSink } from '../../src/log/format/varint.js';
import { LogFileWriter } from '../../src/log/write/whole-file.js';
import { program } from '../cli/command-line.js';
import { temporaryDirectory } from '../lab/folder.js';
import { forged, type Piece, piecesOf, writeSound } from '../log/read/damage-helper.js';
import { meta, START_US } from '../record/writer/writer-helper.js';

/**
 * Beyond what the same command takes for a sound file: the largest payload packed and unpacked, and what V8
 * lets lie about.
 */
const EXTRA_BYTES_MAX = 192 * 1024 * 1024;
/** Enough for a small file; 150 bytes a block would not fit. */
const SMALL_HEAP = '--max-old-space-size=16';
const MANY_BLOCKS = 60_000;
const REPORT_PEAK = `data:text/javascript,process.on('exit',()=>process.stderr.write('peak '+process.resourceUsage().maxRSS))`;

/** Largest resident memory of a command, bytes; it must end by itself with one of the usual codes. */
function peakBytes(args: readonly string[]): number {
  const { status, stderr } = spawnSync(process.execPath, ['--import', REPORT_PEAK, program, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.ok(status === 0 || status === 1, `${args.join(' ')}: ${status} ${stderr}`);
  assert.doesNotMatch(stderr, /internal error/);
  return Number(/peak (\d+)$/.exec(stderr)![1]) * 1024;
}

function assertModest(t: TestContext, files: Readonly<Record<string, Uint8Array>>): void {
  const directory = temporaryDirectory(t);
  const sound = join(directory, 'sound.ct');
  writeSound(sound);
  const modes = [['-LHf'], ['-LsHf'], ['-Tf'], ['stats', '-f']];
  const usual = modes.map((mode) => peakBytes([...mode, sound]));
  for (const [what, bytes] of Object.entries(files)) {
    const file = join(directory, 'a.ct');
    writeFileSync(file, bytes);
    for (const [i, mode] of modes.entries()) {
      const extra = peakBytes([...mode, file]) - usual[i];
      assert.ok(extra < EXTRA_BYTES_MAX, `${mode} with ${what}: ${extra} bytes more`);
    }
  }
}

const joined = (pieces: readonly Piece[]) => Buffer.concat(pieces.map(({ bytes }) => bytes));

function pieces(t: TestContext): Piece[] {
  return piecesOf(writeSound(join(temporaryDirectory(t), 'sound.ct')));
}

/** The block with a number of its header changed, its checksums right. */
function claiming(piece: Piece, field: number, value: number): Piece {
  const bytes = piece.bytes.slice();
  new DataView(bytes.buffer).setUint32(field, value, true);
  return forged({ ...piece, bytes }, bytes.subarray(BLOCK_HEADER_BYTES));
}

test('lengths and counts in block headers', (t) => {
  const sound = pieces(t);
  assertModest(t, {
    'all rows there are': joined(sound.with(4, claiming(sound[4], BlockField.count, 0xffffffff))),
    'as many rows as a block may have': joined(sound.with(4, claiming(sound[4], BlockField.count, 65536))),
    'a payload of 4 GiB': joined(sound.with(4, claiming(sound[4], BlockField.rawBytes, 0xffffffff))),
  });
});

test('lengths of sections, and sections that unpack to far more than they are', (t) => {
  const sound = pieces(t);
  const bomb = brotliCompressSync(new Uint8Array(MAX_PAYLOAD_BYTES));
  const payload = (rawBytes: number) => {
    const bytes = new Uint8Array(64 * (bomb.length + 16));
    const sink = new ByteSink(bytes);
    sink.u8(60);
    for (let id = 0; id < 60; id++) {
      sink.u8(id);
      sink.u8(SectionCodec.brotli);
      sink.varint(rawBytes);
      sink.varint(bomb.length);
    }
    let at = sink.length;
    for (let id = 0; id < 60; id++, at += bomb.length) bytes.set(bomb, at);
    return bytes.subarray(0, at);
  };
  assertModest(t, {
    'sections of 32 MiB': joined(sound.with(4, forged(sound[4], payload(MAX_PAYLOAD_BYTES)))),
    'sections of 4 GiB': joined(sound.with(4, forged(sound[4], payload(0xffffffff)))),
  });
});

test('JSON, and gzip that unpacks to far more than it is', (t) => {
  const sound = pieces(t);
  const gap = sound.findIndex(({ name }) => name === 'block 3');
  assertModest(t, {
    'JSON that nests': joined(sound.with(gap, forged(sound[gap], Buffer.from('['.repeat(1024 * 1024))))),
    'JSON of 20 MiB': joined(sound.with(gap, forged(sound[gap], Buffer.from(`[${'1,'.repeat(1e7)}1]`)))),
    'gzip of zeros': gzipSync(Buffer.concat([joined(sound), Buffer.alloc(256 * 1024 * 1024)])),
  });
});

test('a file of very many blocks, as one that is written for months', (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'a.ct');
  const writer = LogFileWriter.create(file, meta);
  const gap = { lost: 1, certainty: 'exact', cause: 'x' } as const;
  for (let i = 0; i < MANY_BLOCKS; i++)
    writer.appendGap({ fromUs: START_US + i, toUs: START_US + i, ...gap });
  writer.close();
  const output = ['-o', join(directory, 'b.ct')];
  for (const args of [['-LHf'], ['-Tf'], ['stats', '-f'], ['repair'], ['-Sf']]) {
    const isWriting = args[0] === 'repair' || args[0] === '-Sf';
    const words = [SMALL_HEAP, program, ...args, file, ...(isWriting ? output : [])];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: 60_000 });
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    if (isWriting) rmSync(output[1]);
  }
});
