import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DamageError } from '../../../src/base/errors.js';
import {
  interfaceBlock,
  messages,
  packetsOf,
  pcap,
  pcapng,
  readAll,
  readUntilError,
  type TestPacket,
} from './captures.js';

const packets = packetsOf(messages(200));

function assertSame(found: readonly TestPacket[], expected: readonly TestPacket[]): void {
  assert.deepEqual(
    found.map(({ timeUs, bytes }) => [timeUs, Buffer.from(bytes).toString('hex')]),
    expected.map(({ timeUs, bytes }) => [timeUs, Buffer.from(bytes).toString('hex')]),
  );
}

async function assertBad(file: Uint8Array, what: RegExp): Promise<void> {
  await assert.rejects(readAll(file), (error) => {
    assert.ok(error instanceof DamageError, String(error));
    assert.equal(error.code, 'bad-capture');
    assert.match(error.message, what);
    assert.equal(error.message.split('\n').length, 1);
    return true;
  });
}

describe('pcap', () => {
  for (const littleEndian of [true, false])
    for (const nanoseconds of [true, false])
      it(`is read ${littleEndian ? 'little' : 'big'}-endian, ${nanoseconds ? 'ns' : 'us'}`, async () => {
        assertSame(await readAll(pcap(packets, { littleEndian, nanoseconds })), packets);
      });

  it('is the same however the reads fall', async () => {
    for (const readBytes of [1, 7, 24, 191])
      assertSame(await readAll(pcap(packets.slice(0, 20)), readBytes), packets.slice(0, 20));
  });

  it('is read beyond the window of the input', async () => {
    const many = Array.from({ length: 100 }, () => packets).flat();
    const large = many.map(({ timeUs, bytes }) => ({
      timeUs,
      bytes: Buffer.concat([bytes, Buffer.alloc(300)]),
    }));
    assertSame(await readAll(pcap(large)), large);
  });

  it('floors nanoseconds', async () => {
    const file = pcap(packets.slice(0, 1));
    file.writeUInt32LE(999_999_999, 28);
    const [{ timeUs }] = await readAll(file);
    assert.equal(timeUs % 1e6, 999_999);
  });

  it('without packets is empty', async () => {
    assert.deepEqual(await readAll(pcap([])), []);
  });

  it('gives the length on the link of a packet that was cut', async () => {
    const [found] = await readAll(pcap([{ ...packets[0], realBytes: 700 }]));
    assert.equal(found.realBytes, 700);
    assert.equal(found.bytes.length, packets[0].bytes.length);
  });

  it('that is cut anywhere gives what is whole, then one typed error', async () => {
    const few = packets.slice(0, 3);
    const file = pcap(few);
    const ends = [24];
    for (const [i, { bytes }] of few.entries()) ends.push(ends[i] + 16 + bytes.length);
    for (let length = 0; length < file.length; length++) {
      const { packets: found, error } = await readUntilError(file.subarray(0, length));
      const whole = ends.filter((end) => end <= length).length - 1;
      assertSame(found, few.slice(0, Math.max(0, whole)));
      if (ends.includes(length)) assert.equal(error, undefined);
      else assert.ok(error instanceof DamageError && error.code === 'bad-capture', `${length}: ${error}`);
    }
  });
});

describe('pcapng', () => {
  // 64 bits hold today's time down to units of 2^-33 s.
  for (const littleEndian of [true, false])
    for (const tsresol of [undefined, 6, 7, 9, 0x80 | 20, 0x80 | 30])
      it(`is read ${littleEndian ? 'little' : 'big'}-endian, if_tsresol ${tsresol}`, async () => {
        assertSame(
          await readAll(pcapng(packets, { littleEndian, ...(tsresol !== undefined && { tsresol }) })),
          packets,
        );
      });

  it('has seconds and milliseconds floored', async () => {
    const [first] = packets;
    const timeUs = Math.floor(first.timeUs / 1e6) * 1e6;
    for (const tsresol of [0, 3]) {
      const [found] = await readAll(pcapng([{ ...first, timeUs }], { tsresol }));
      assert.equal(found.timeUs, timeUs);
    }
  });

  it('adds if_tsoffset', async () => {
    assertSame(await readAll(pcapng(packets, { tsresol: 9, tsoffsetSeconds: 1_700_000_000n })), packets);
  });

  it('gives simple packets the time before, and no padding', async () => {
    const [first] = packets;
    const odd = { timeUs: 0, bytes: first.bytes.subarray(0, 41) };
    assertSame(await readAll(pcapng([odd, odd], { simple: true })), [odd, odd]);
    const long = { ...odd, realBytes: 900 };
    const [found] = await readAll(pcapng([long], { simple: true, snaplenBytes: 41 }));
    assert.equal(found.bytes.length, 41);
    assert.equal(found.realBytes, 900);
  });

  it('may have sections of both byte orders', async () => {
    const [first, second] = packets;
    const file = Buffer.concat([pcapng([first]), pcapng([second], { littleEndian: false, tsresol: 9 })]);
    assertSame(await readAll(file), [first, second]);
  });

  it('forgets the interfaces of the section before', async () => {
    const section = pcapng([]).subarray(0, 28);
    const packetBlock = pcapng([packets[0]]).subarray(pcapng([]).length);
    await assertBad(Buffer.concat([pcapng([]), section, packetBlock]), /interface that it does not describe/);
  });

  it('that is cut anywhere gives what is whole, then one typed error', async () => {
    const few = packets.slice(0, 2);
    const file = pcapng(few);
    const blocks = [0];
    while (blocks[blocks.length - 1] < file.length)
      blocks.push((blocks.at(-1) as number) + file.readUInt32LE((blocks.at(-1) as number) + 4));
    for (let length = 0; length < file.length; length++) {
      const { packets: found, error } = await readUntilError(file.subarray(0, length));
      const whole = blocks.filter((end) => end <= length).length - 1;
      assertSame(found, few.slice(0, Math.max(0, whole - 3)));
      if (whole > 0 && blocks.includes(length)) assert.equal(error, undefined);
      else assert.ok(error instanceof DamageError && error.code === 'bad-capture', `${length}: ${error}`);
    }
  });
});

describe('what is no capture of nlmon', () => {
  it('is refused in one line', async () => {
    await assertBad(new Uint8Array(0), /too short/);
    await assertBad(Buffer.from('hello'), /too short/);
    await assertBad(Buffer.from('this is a text and not a capture at all'), /neither pcap nor pcapng/);
    await assertBad(pcap(packets, { linkType: 1 }), /link type 1, not 253/);
    await assertBad(pcapng(packets, { linkType: 1 }), /link type 1, not 253/);
  });

  it('is refused for the length of a record', async () => {
    const file = pcap(packets);
    file.writeUInt32LE(0xffffffff, 24 + 8);
    await assertBad(file, /more than any netlink message/);
    const blocks = pcapng(packets);
    for (const bytes of [0, 8, 13, 0xfffffffc]) {
      blocks.writeUInt32LE(bytes, 28 + 4);
      await assertBad(blocks, /impossible length|more than any netlink message/);
    }
  });

  it('is refused for a packet longer than its block', async () => {
    const file = pcapng(packets.slice(0, 1));
    const at = pcapng([]).length;
    file.writeUInt32LE(0x7fffffff, at + 20);
    await assertBad(file, /longer than its block/);
  });

  it('is refused for an impossible time', async () => {
    const file = pcapng(packets.slice(0, 1));
    file.writeUInt32LE(0xffffffff, pcapng([]).length + 12);
    await assertBad(file, /impossible time/);
    await assertBad(pcapng(packets, { tsoffsetSeconds: 2_000_000_000_000n, tsresol: 6 }), /impossible time/);
  });

  it('is refused for too many interfaces', async () => {
    const file = Buffer.concat([pcapng([]), ...Array.from({ length: 5000 }, () => interfaceBlock({}))]);
    await assertBad(file, /more than 4096 interfaces/);
  });
});
