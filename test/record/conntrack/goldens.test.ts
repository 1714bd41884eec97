/**
 * What the kernel really sends, against what conntrack-tools said of the same events and what is known of
 * them.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode, type Row } from './decoded.js';
import { type Event, messageOf } from './events.js';
import { type Golden, goldenSections } from './goldens.js';
import { type ToldRow, toldRow } from './tool-row.js';

const IPS_ASSURED = 0x4;

/** The row of a golden that must be recorded, whole, with every attribute known. */
function wholeRow({ message }: Golden): Row {
  const { row, counters } = decode(message);
  assert.ok(row);
  assert.equal(row.partial, false);
  assert.deepEqual([counters.unknownAttributes, counters.partial, counters.malformed], [0, 0, 0]);
  return row;
}

function told({ kind, proto, orig, reply, replied, mark, zone, ...row }: Row): ToldRow {
  const { zoneDirection, tcpState, id, timeoutSeconds, helper } = row;
  return {
    kind,
    proto,
    orig,
    reply,
    replied,
    mark,
    zone,
    zoneDirection,
    tcpState,
    id,
    timeoutSeconds,
    helper,
  };
}

const toldSections = goldenSections.filter(({ goldens }) => goldens.every(({ said }) => said !== ''));

for (const { name, goldens } of toldSections)
  describe(name, () => {
    it('has the rows that conntrack-tools printed', () => {
      for (const golden of goldens) {
        const row = wholeRow(golden);
        assert.deepEqual(told(row), toldRow(golden.said));
        if (row.kind === 'end')
          assert.equal((row.status & IPS_ASSURED) !== 0, golden.said.includes('[ASSURED]'));
      }
    });

    it('has the times of start and end', () => {
      const rows = goldens.map(wholeRow);
      const timed = !name.endsWith('neither counters nor times');
      for (const end of rows.filter(({ kind }) => kind === 'end')) {
        const start = rows.find(({ kind, id }) => kind === 'start' && id === end.id)!;
        assert.deepEqual([start.timeSource, end.timeSource], Array(2).fill(timed ? 'event' : 'receive'));
        assert.equal(start.startUs, 0);
        if (!timed) assert.equal(end.startUs, 0);
        // The kernel takes an entry's start and the time of its NEW one after the other, in no fixed order.
        else assert.ok(Math.abs(end.startUs - start.timeUs) < 5000, `${end.startUs - start.timeUs}`);
        assert.ok(start.timeUs <= end.timeUs);
      }
    });
  });

it('every kind of event that the fixture promises is there', () => {
  const rows = toldSections.flatMap(({ goldens }) => goldens.map(wholeRow));
  assert.deepEqual(
    [...new Set(rows.map(({ proto }) => proto))].sort((a, b) => a - b),
    [1, 6, 17, 33, 47, 50, 58, 132, 136],
  );
  for (const direction of [0, 1, 2])
    assert.ok(rows.some(({ zone, zoneDirection }) => zone !== 0 && zoneDirection === direction));
  assert.ok(rows.some(({ helper }) => helper === 'ftp'));
  // Label 35, which conntrack-tools does not print without a file of names: bit 35 of 128.
  const labelled = rows.filter(({ labels }) => /[^0]/.test(labels));
  assert.deepEqual(
    labelled.map(({ mark, labels }) => [mark, labels]),
    [[42, '00000000080000000000000000000000']],
  );
});

describe('nat-gateway-6.18.hex', () => {
  const sample = goldenSections.find(({ name }) => name === 'nat-gateway-6.18.hex')!.goldens;
  const tcp = {
    orig: { src: '192.168.77.2', sport: 60850, dst: '198.51.100.80', dport: 80 },
    reply: { src: '198.51.100.80', sport: 80, dst: '198.51.100.1', dport: 60850 },
  };
  const udp = {
    orig: { src: '192.168.77.2', sport: 43809, dst: '198.51.100.80', dport: 5353 },
    reply: { src: '198.51.100.80', sport: 5353, dst: '198.51.100.1', dport: 43809 },
  };
  const uncounted = { packets: 0n, bytes: 0n };

  it('TCP: start, five updates that are not recorded, end with counters', () => {
    const [start, ...more] = sample.slice(0, 6);
    const row = wholeRow(start);
    assert.deepEqual(row.orig, { ...tcp.orig, ...uncounted });
    assert.deepEqual(row.reply, { ...tcp.reply, ...uncounted });
    assert.deepEqual([row.kind, row.proto, row.replied, row.tcpState], ['start', 6, false, 2]);
    for (const { message } of more) {
      const { row, counters } = decode(message);
      assert.equal(row, undefined);
      assert.equal(counters.updates, 1);
    }
    const end = wholeRow(sample[8]);
    assert.deepEqual(end.orig, { ...tcp.orig, packets: 6n, bytes: 397n });
    assert.deepEqual(end.reply, { ...tcp.reply, packets: 6n, bytes: 1553n });
    assert.deepEqual([end.kind, end.proto, end.replied, end.tcpState, end.id], ['end', 6, true, 8, row.id]);
  });

  it('UDP that nobody answered', () => {
    const [start, end] = sample.slice(6, 8).map(wholeRow);
    assert.deepEqual(start.orig, { ...udp.orig, ...uncounted });
    assert.deepEqual([start.kind, start.replied, end.kind, end.replied], ['start', false, 'end', false]);
    assert.deepEqual(end.orig, { ...udp.orig, packets: 1n, bytes: 29n });
    assert.deepEqual(end.reply, { ...udp.reply, ...uncounted });
  });

  it('the encoder writes what the kernel wrote, byte for byte', () => {
    const event: Event = {
      kind: 'end',
      family: 4,
      proto: 17,
      ...udp,
      id: 0x58ac455c,
      status: 0x398,
      timeoutSeconds: 28,
      counters: [1n, 29n, 0n, 0n],
      startNs: 0x18ea92bf0bb229d7n,
      stopNs: 0x18ea92bf485ab430n,
      eventNs: 0x18ea92bf485ab675n,
    };
    const kernels = Buffer.from(sample[7].message);
    kernels.fill(0, 8, 16); // sequence number and port id of who ended it
    assert.deepEqual(messageOf(event), kernels);
  });
});
