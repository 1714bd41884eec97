/**
 * Counting what a program recorded: its lines must be understood to the last field, and only what was sent
 * may count.
 */
import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Addressing, Cycles, Rows } from '../../bench/generate/addressing.js';
import { emptyFlow, type Flow, formatAddress, parseAddress } from '../../bench/generate/flow.js';
import { InjectedFlood } from '../../bench/generate/injected.js';
import { TruthCount } from '../../bench/measure/truth.js';
import { conntrackFormat } from '../../bench/programs/conntrack.js';
import { natlogFormat } from '../../bench/programs/natlog.js';
import { type LineFormat, parseLine, readEvents } from '../../bench/programs/text.js';
import { ulogdOutputs } from '../../bench/programs/ulogd.js';
import { floodConnection } from '../lab/flood.js';
import { makeFolder, removeFolder } from '../lab/folder.js';
import type { Injector } from '../lab/inject.js';
import type { Namespace } from '../lab/namespace.js';

/** The flood's second connection, 10.0.0.3:1024 to 203.0.113.2:443 as 198.51.100.1:1025. */
const SECOND: Flow = {
  proto: 6,
  origSrc: 0x0a000003,
  origSrcPort: 1024,
  origDst: 0xcb007102,
  origDstPort: 443,
  replySrc: 0xcb007102,
  replySrcPort: 443,
  replyDst: 0xc6336401,
  replyDstPort: 1025,
};

/**
 * Lines as ulogd 2.0.8, conntrack 1.4.7 and natlog 3.00.01 wrote them for that connection's start and end.
 */
const LINES: Record<string, { format: LineFormat; start: string; end: string }> = {
  LOGEMU: {
    format: ulogdOutputs.LOGEMU.format,
    start:
      'Nov 24 20:25:39 vm [NEW] ORIG: SRC=10.0.0.3 DST=203.0.113.2 PROTO=TCP SPT=1024 DPT=443 PKTS=0 BYTES=0 , REPLY: SRC=203.0.113.2 DST=198.51.100.1 PROTO=TCP SPT=443 DPT=1025 PKTS=0 BYTES=0 ',
    end: 'Nov 24 20:25:39 vm [DESTROY] ORIG: SRC=10.0.0.3 DST=203.0.113.2 PROTO=TCP SPT=1024 DPT=443 PKTS=0 BYTES=0 , REPLY: SRC=203.0.113.2 DST=198.51.100.1 PROTO=TCP SPT=443 DPT=1025 PKTS=0 BYTES=0 ',
  },
  GPRINT: {
    format: ulogdOutputs.GPRINT.format,
    start:
      'orig.ip.saddr=10.0.0.3,orig.ip.daddr=203.0.113.2,orig.ip.protocol=6,orig.l4.sport=1024,orig.l4.dport=443,orig.raw.pktlen=0,orig.raw.pktcount=0,reply.ip.saddr=203.0.113.2,reply.ip.daddr=198.51.100.1,reply.ip.protocol=6,reply.l4.sport=443,reply.l4.dport=1025,reply.raw.pktlen=0,reply.raw.pktcount=0,ct.mark=0,ct.id=1355772090,ct.event=1,flow.start.sec=1795551940,flow.start.usec=964463,oob.family=2,oob.protocol=0,orig.ip.saddr.str=10.0.0.3,orig.ip.daddr.str=203.0.113.2,reply.ip.saddr.str=203.0.113.2,reply.ip.daddr.str=198.51.100.1',
    end: 'orig.ip.saddr=10.0.0.3,orig.ip.daddr=203.0.113.2,orig.ip.protocol=6,orig.l4.sport=1024,orig.l4.dport=443,orig.raw.pktlen=0,orig.raw.pktcount=0,reply.ip.saddr=203.0.113.2,reply.ip.daddr=198.51.100.1,reply.ip.protocol=6,reply.l4.sport=443,reply.l4.dport=1025,reply.raw.pktlen=0,reply.raw.pktcount=0,ct.mark=0,ct.id=1355772090,ct.event=4,flow.start.sec=1795551940,flow.start.usec=964463,flow.end.sec=1795551941,flow.end.usec=3,oob.family=2,oob.protocol=0,orig.ip.saddr.str=10.0.0.3,orig.ip.daddr.str=203.0.113.2,reply.ip.saddr.str=203.0.113.2,reply.ip.daddr.str=198.51.100.1',
  },
  JSON: {
    format: ulogdOutputs.JSON.format,
    start:
      '{"timestamp": "2026-11-24T20:25:41", "dvc": "Netfilter", "orig.ip.protocol": 6, "orig.l4.sport": 1024, "orig.l4.dport": 443, "orig.raw.pktlen": 0, "orig.raw.pktcount": 0, "reply.ip.protocol": 6, "reply.l4.sport": 443, "reply.l4.dport": 1025, "reply.raw.pktlen": 0, "reply.raw.pktcount": 0, "ct.mark": 0, "ct.id": 3727507576, "ct.event": 1, "flow.start.sec": 1795551941, "flow.start.usec": 994679, "oob.family": 2, "oob.protocol": 0, "src_ip": "10.0.0.3", "dest_ip": "203.0.113.2", "reply.ip.saddr.str": "203.0.113.2", "reply.ip.daddr.str": "198.51.100.1"}',
    end: '{"timestamp": "2026-11-24T20:25:41", "dvc": "Netfilter", "orig.ip.protocol": 6, "orig.l4.sport": 1024, "orig.l4.dport": 443, "orig.raw.pktlen": 0, "orig.raw.pktcount": 0, "reply.ip.protocol": 6, "reply.l4.sport": 443, "reply.l4.dport": 1025, "reply.raw.pktlen": 0, "reply.raw.pktcount": 0, "ct.mark": 0, "ct.id": 3727507576, "ct.event": 4, "flow.start.sec": 1795551941, "flow.start.usec": 994679, "flow.end.sec": 1795551942, "flow.end.usec": 7, "oob.family": 2, "oob.protocol": 0, "src_ip": "10.0.0.3", "dest_ip": "203.0.113.2", "reply.ip.saddr.str": "203.0.113.2", "reply.ip.daddr.str": "198.51.100.1"}',
  },
  XML: {
    format: ulogdOutputs.XML.format,
    start:
      '<flow><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>10.0.0.3</src><dst>203.0.113.2</dst></layer3><layer4 protonum="6" protoname="tcp"><sport>1024</sport><dport>443</dport></layer4></meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>203.0.113.2</src><dst>198.51.100.1</dst></layer3><layer4 protonum="6" protoname="tcp"><sport>443</sport><dport>1025</dport></layer4></meta><meta direction="independent"><state>ESTABLISHED</state><timeout>3600</timeout><mark>0</mark><id>2887078470</id><unreplied/></meta><when><hour>20</hour><min>25</min><sec>43</sec><wday>3</wday><day>24</day><month>11</month><year>2026</year></when></flow>',
    end: '<flow><meta direction="original"><layer3 protonum="2" protoname="ipv4"><src>10.0.0.3</src><dst>203.0.113.2</dst></layer3><layer4 protonum="6" protoname="tcp"><sport>1024</sport><dport>443</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="reply"><layer3 protonum="2" protoname="ipv4"><src>203.0.113.2</src><dst>198.51.100.1</dst></layer3><layer4 protonum="6" protoname="tcp"><sport>443</sport><dport>1025</dport></layer4><counters><packets>0</packets><bytes>0</bytes></counters></meta><meta direction="independent"><state>ESTABLISHED</state><timeout>3600</timeout><id>2887078470</id><unreplied/><deltatime>0</deltatime></meta><when><hour>20</hour><min>25</min><sec>43</sec><wday>3</wday><day>24</day><month>11</month><year>2026</year></when></flow>',
  },
  'conntrack -E': {
    format: conntrackFormat,
    start:
      '[1795553097.751700]\t    [NEW] tcp      6 3600 ESTABLISHED src=10.0.0.3 dst=203.0.113.2 sport=1024 dport=443 [UNREPLIED] src=203.0.113.2 dst=198.51.100.1 sport=443 dport=1025 mark=0 id=2803817224 [USERSPACE] portid=134227119 progname=node',
    end: '[1795553097.872653]\t[DESTROY] tcp      6 3599 ESTABLISHED src=10.0.0.3 dst=203.0.113.2 sport=1024 dport=443 packets=0 bytes=0 [UNREPLIED] src=203.0.113.2 dst=198.51.100.1 sport=443 dport=1025 packets=0 bytes=0 delta-time=0 id=2803817224 [USERSPACE] portid=134227119 progname=node',
  },
};
const NATLOG_LINE =
  'from 1795551967:815793 thru 1795551968:154371:  tcp 010.000.000.003,1024  (via: 198.051.100.001,1025)  to 203.000.113.002,443;   sent:          0, received:          0';

describe('lines of the others', () => {
  for (const [name, { format, start, end }] of Object.entries(LINES))
    it(`are understood: ${name}`, () => {
      assert.deepEqual(parseLine(start, format), SECOND);
      assert.deepEqual(parseLine(end, format), SECOND);
      assert.deepEqual([format.kindOf(start), format.kindOf(end)], ['start', 'end']);
      assert.equal(parseLine('<conntrack>', format), undefined);
    });

  it('of natlog are whole connections, or, at its end, open ones', () => {
    assert.deepEqual(parseLine(NATLOG_LINE, natlogFormat), SECOND);
    assert.equal(natlogFormat.kindOf(NATLOG_LINE), 'both');
    assert.equal(natlogFormat.kindOf(`${NATLOG_LINE} (EOP)`), 'start');
    assert.equal(parseLine('received signal 15 (SIGTERM)', natlogFormat), undefined);
  });

  it('count once each; a torn one does not, and a file that was never made has none', async () => {
    const folder = makeFolder('lines');
    const count = new TruthCount(flood(10));
    const take = (isStart: boolean, flow: Flow) => count.take(isStart, flow);
    try {
      const file = path.join(folder, 'events');
      await readEvents(file, natlogFormat, take);
      writeFileSync(file, `starting\n${NATLOG_LINE}\n`);
      appendFileSync(file, NATLOG_LINE.slice(0, -20));
      await readEvents(file, natlogFormat, take);
    } finally {
      removeFolder(folder);
    }
    assert.deepEqual(
      { ...count, flood: undefined },
      { starts: 1, ends: 1, repeated: 0, foreign: 0, flood: undefined },
    );
  });
});

/** For its list only. */
function flood(connections: number, turns = 1): InjectedFlood {
  return new InjectedFlood({} as Namespace, {} as Injector, connections, turns);
}

/** A connection of the injector's list in numbers. */
function listed(index: number): Flow {
  const { proto, orig, reply } = floodConnection({ count: index + 1 }, index);
  return {
    proto,
    origSrc: parseAddress(orig.src),
    origSrcPort: orig.sport,
    origDst: parseAddress(orig.dst),
    origDstPort: orig.dport,
    replySrc: parseAddress(reply.src),
    replySrcPort: reply.sport,
    replyDst: parseAddress(reply.dst),
    replyDstPort: reply.dport,
  };
}

describe('the truth', () => {
  it('counts each start and each end as often as there are turns', () => {
    const count = new TruthCount(flood(10, 2));
    for (let turn = 0; turn < 3; turn++) count.take(true, listed(4));
    count.take(false, listed(4));
    const { starts, ends, repeated, foreign } = count;
    assert.deepEqual({ starts, ends, repeated, foreign }, { starts: 2, ends: 1, repeated: 1, foreign: 0 });
  });

  it('counts each start and each end once, and names what is too much', () => {
    const count = new TruthCount(flood(100));
    for (const index of [0, 1, 2, 99]) count.take(true, listed(index));
    for (const index of [1, 99]) count.take(false, listed(index));
    count.take(true, listed(1));
    count.take(false, listed(99));
    count.take(true, listed(100)); // never sent
    count.take(true, { ...listed(5), origSrcPort: 1 }); // NAT addresses of one, client of nobody
    assert.equal(count.starts, 4);
    assert.equal(count.ends, 2);
    assert.equal(count.repeated, 2);
    assert.equal(count.foreign, 2);
    assert.equal(count.startsBelow(2), 2);
    assert.equal(count.startsBelow(100), 4);
  });

  it('finds every connection of the list, and no other that differs in one field', () => {
    const all = flood(200_000);
    fc.assert(
      fc.property(
        fc.nat(199_999),
        fc.constantFrom(...(Object.keys(SECOND) as (keyof Flow)[])),
        (index, field) => {
          const flow = listed(index);
          assert.equal(all.indexOf(flow), index);
          flow[field]++;
          assert.notEqual(all.indexOf(flow), index);
        },
      ),
    );
  });
});

describe('addresses of packet floods', () => {
  const addressings: Record<string, Addressing> = {
    rows: new Rows(0x0a400000, 0xc6120000, 80),
    cycles: new Cycles(0x0a400000, 0xc6120000, 53),
  };
  for (const [name, addressing] of Object.entries(addressings))
    it(`lead back to the index: ${name}`, () => {
      const flow = emptyFlow();
      fc.assert(
        fc.property(fc.nat(1_000_000), (index) => {
          addressing.fill(flow, index);
          assert.equal(addressing.indexOf(flow), index);
        }),
      );
    });

  it('are written and read as dotted decimals, padded or not', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), (address) =>
        assert.equal(parseAddress(formatAddress(address)), address),
      ),
    );
    assert.equal(parseAddress('010.000.000.003'), 0x0a000003);
  });
});
