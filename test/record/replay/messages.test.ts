/** Which messages of a capture are recorded, and which are copies of each other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ByteInput } from '../../../src/base/disk/input.js';
import { NLM_F_MULTI, NLM_F_REQUEST, NLMSG_ERROR } from '../../../src/record/netlink/constants.js';
import { MSG_CT_DELETE, MSG_CT_NEW, NLM_F_NEW_ENTRY } from '../../../src/record/netlink/message.js';
import { PacketType } from '../../../src/record/replay/cooked.js';
import { MemoryFeed, packetOf, pcap, type TestPacket, threeEvents, withHeader } from './captures.js';
import { assertReplays, replay } from './replay.js';

const NETLINK_ROUTE = 0;
const MSG_CT_GET_STATS = 0x0105;

const [a, b, c] = threeEvents;
const [A, B, C] = threeEvents.map(({ bytes }) => packetOf(bytes));
const routeMessage = packetOf(new Uint8Array(20), PacketType.toUser, NETLINK_ROUTE);
const update = packetOf(withHeader(a.bytes, { flags: 0 }));
const dumpReply = packetOf(withHeader(b.bytes, { flags: NLM_F_MULTI }));
const request = packetOf(withHeader(c.bytes, { flags: NLM_F_REQUEST }), PacketType.toKernel);

describe('what counts', () => {
  it('is on its way to user space', async (context) => {
    const asked = (one: TestPacket) => withHeader(one.bytes, { flags: NLM_F_REQUEST });
    const counts = await assertReplays(
      context,
      [
        packetOf(a.bytes, PacketType.toUser),
        packetOf(b.bytes, PacketType.toKernel),
        packetOf(asked(b), PacketType.toKernel),
        packetOf(asked(b), PacketType.toUser),
        packetOf(b.bytes, PacketType.outgoing),
        packetOf(asked(c), PacketType.outgoing),
      ],
      [a, b],
    );
    assert.equal(counts.toKernel, 4);
  });

  it('is of netfilter', async (context) => {
    const other = packetOf(b.bytes, PacketType.toUser, NETLINK_ROUTE);
    const counts = await assertReplays(context, [other, A, other], [a]);
    assert.equal(counts.otherFamily, 2);
  });

  it('is a start or an end: no update, no answer to a dump, no other subsystem', async (context) => {
    const start = { ...a, bytes: withHeader(a.bytes, { type: MSG_CT_NEW, flags: NLM_F_NEW_ENTRY }) };
    const end = { ...a, bytes: withHeader(a.bytes, { type: MSG_CT_DELETE, flags: 0 }) };
    const changed = (header: Parameters<typeof withHeader>[1]) => packetOf(withHeader(start.bytes, header));
    const counts = await assertReplays(
      context,
      [
        packetOf(start.bytes),
        changed({ flags: 0 }),
        changed({ flags: 0x400 }),
        changed({ flags: NLM_F_MULTI | NLM_F_NEW_ENTRY }),
        changed({ type: MSG_CT_DELETE, flags: NLM_F_MULTI }),
        changed({ type: MSG_CT_GET_STATS }),
        changed({ type: NLMSG_ERROR }),
        packetOf(end.bytes),
      ],
      [start, end],
    );
    assert.deepEqual([counts.updates, counts.dumpReplies, counts.otherTypes], [2, 2, 2]);
  });

  it('is every such message of a packet that holds several', async (context) => {
    const odd = withHeader(Buffer.concat([b.bytes, Buffer.alloc(2)]), { lengthBytes: b.bytes.length + 2 });
    const netlink = [a.bytes, update.bytes.subarray(16), odd, Buffer.alloc(2), c.bytes];
    const counts = await assertReplays(
      context,
      [packetOf(Buffer.concat(netlink))],
      [a, { ...b, bytes: odd }, c],
      { slots: 2 },
    );
    assert.deepEqual([counts.packets, counts.updates], [1, 1]);
  });

  it('is what stands before a length that leads nowhere', async (context) => {
    const lost = withHeader(b.bytes, { lengthBytes: 15 });
    const counts = await assertReplays(
      context,
      [packetOf(Buffer.concat([a.bytes, lost, c.bytes])), C],
      [a, c],
    );
    assert.equal(counts.malformed, 1);
  });

  it('is longer than a header', async (context) => {
    const short = { timeUs: a.timeUs, bytes: A.bytes.subarray(0, 31) };
    const counts = await assertReplays(context, [short, A, { ...short, bytes: new Uint8Array(1) }], [a]);
    assert.equal(counts.malformed, 2);
  });
});

describe('identical neighbours', () => {
  const later = (one: TestPacket, us: number) => ({ ...one, timeUs: one.timeUs + us });

  it('count once, at the time of the first', async (context) => {
    const packets = [A, later(A, 3), B, later(B, 2), later(B, 5), C];
    const counts = await assertReplays(context, packets, [a, b, c]);
    assert.equal(counts.duplicates, 3);
  });

  it('count each with --keep-duplicates', async (context) => {
    const packets = [A, later(A, 3), B, B, B, C];
    await assertReplays(context, packets, [a, later(a, 3), b, b, b, c], { keepDuplicates: true });
  });

  it('are none with another event between them', async (context) => {
    const counts = await assertReplays(context, [A, B, A, B], [a, b, a, b]);
    assert.equal(counts.duplicates, 0);
  });

  for (const [what, between] of Object.entries({
    'another family': routeMessage,
    'an update': update,
    'an answer to a dump': dumpReply,
    'a request': request,
  }))
    it(`are such with ${what} between them`, async (context) => {
      await assertReplays(context, [A, between, A, between, B, between, between, B], [a, b]);
    });

  for (const slots of [1, 2, 3])
    it(`are such when the ring wraps between them: ${slots} slots`, async (context) => {
      await assertReplays(context, [A, A, B, B, C, C, A, A, A, B], [a, b, c, a, b], { slots });
    });

  it('are such when the window of the input moves on between them', async (context) => {
    const windowBytes = new ByteInput(new MemoryFeed(new Uint8Array(0), 1)).buffer.length;
    const recordBytes = (one: TestPacket) => 16 + one.bytes.length;
    const filler = (bytes: number) =>
      packetOf(new Uint8Array(bytes - 16 - 16), PacketType.toUser, NETLINK_ROUTE);
    const before = windowBytes - 24 - recordBytes(A);
    const fillers = [filler(before >> 1), filler(before - (before >> 1))];
    const packets = [...fillers, A, A, ...fillers, B, B];
    const counts = await assertReplays(context, packets, [a, b]);
    assert.equal(counts.duplicates, 2);
  });

  it('are whole packets', async (context) => {
    const several = packetOf(Buffer.concat([a.bytes, b.bytes]));
    await assertReplays(context, [several, several, B], [a, b, b]);
  });

  it('differ in length, or behind the end of a slot', async (context) => {
    const long = Buffer.concat([a.bytes, Buffer.alloc(600)]);
    const one = withHeader(long, { lengthBytes: long.length });
    const other = Uint8Array.from(one);
    other[other.length - 1] = 1;
    const shorter = withHeader(one.subarray(0, -1), { lengthBytes: one.length - 1 });
    const { taken } = await replay(
      context,
      pcap([one, one, other, shorter, shorter].map((bytes) => packetOf(bytes))),
    );
    assert.deepEqual(
      taken.map((found) => 'lengthBytes' in found && found.lengthBytes),
      [one.length, one.length, shorter.length],
    );
  });
});
