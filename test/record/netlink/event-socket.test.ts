import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { SystemFailure } from '../../../src/base/errors.js';
import { CAP_NET_ADMIN } from '../../../src/base/libc/constants.js';
import { capget, capset } from '../../../src/base/libc/process.js';
import { RECEIVE_EXTRA_BYTES, SENDER_PORT_OFFSET } from '../../../src/base/libc/receive.js';
import { IPCTNL_MSG_CT_GET_STATS, NFNL_SUBSYS_CTNETLINK } from '../../../src/record/netlink/constants.js';
import {
  EVENT_TRUESIZE_BYTES,
  EventSocket,
  type EventSocketOptions,
} from '../../../src/record/netlink/event-socket.js';
import { hasNetfilterSubsystem } from '../../../src/record/netlink/netfilter.js';
import { MAX_FILTER_PROTOCOLS } from '../../../src/record/netlink/protocol-filter.js';
import { createRing, type RingMemory } from '../../../src/record/ring/layout.js';
import { RingProducer } from '../../../src/record/ring/producer.js';
import { inNamespace, SyncInjector } from './in-namespace.js';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const MSG_TRUNC_FLAG = 0x20;

interface Setup {
  readonly ring: RingMemory;
  readonly producer: RingProducer;
  readonly socket: EventSocket;
}

/** A joined socket with its ring, closed afterwards. */
function withSocket(
  options: Partial<EventSocketOptions & { slots: number; slotBytes: number }>,
  use: (setup: Setup) => void,
): void {
  const { slots = 1024, slotBytes = 512, rcvbufBytes = 4 << 20, protocols = 'all' } = options;
  const ring = createRing({ slots, slotBytes, extraBytes: RECEIVE_EXTRA_BYTES });
  const socket = EventSocket.open(ring, { rcvbufBytes, protocols });
  try {
    socket.join();
    use({ ring, producer: new RingProducer(ring), socket });
  } finally {
    socket.close();
  }
}

/** Receive until nothing waits or the ring is full; answers how many. */
function drain({ socket, producer }: Setup): number {
  let total = 0;
  for (;;) {
    const received = socket.receive(producer, 256);
    if (received === 0) return total;
    producer.publish(received);
    total += received;
  }
}

inNamespace(import.meta.url, () => {
  let injector: SyncInjector;
  before(() => {
    injector = new SyncInjector();
  });
  after(() => injector.close());

  test('NEW and DESTROY arrive whole, from the kernel, and nothing after leave', () => {
    withSocket({}, (setup) => {
      const { ring, socket } = setup;
      injector.create({ count: 100, proto: TCP });
      injector.flush();
      assert.equal(drain(setup), 200);
      for (let slot = 0; slot < 200; slot++) {
        const view = new DataView(ring.buffer, ring.offsetOf(slot));
        assert.equal(view.getUint32(0, true), ring.lengthOf(slot), 'nlmsg_len');
        assert.equal(view.getUint16(4, true), slot < 100 ? 0x100 : 0x102, 'nlmsg_type');
        assert.equal(ring.flagsOf(slot), 0);
        const extra = ring.extrasOffset + slot * RECEIVE_EXTRA_BYTES;
        assert.equal(new DataView(ring.buffer).getUint32(extra + SENDER_PORT_OFFSET, true), 0, 'sender port');
      }
      socket.leave();
      injector.create({ count: 10 });
      injector.flush();
      assert.equal(drain(setup), 0);
    });
  });

  test('only the protocols of the filter arrive; what is refused is not counted as dropped', () => {
    const count = 200;
    const create = (): void => {
      for (const proto of [UDP, TCP, SCTP]) injector.create({ count, proto });
      injector.flush();
    };
    for (const [protocols, expected] of [
      [[TCP], 2 * count],
      [[UDP, SCTP], 4 * count],
      [[50], 0],
      // The program of full length: its longest jumps must work too.
      [Array.from({ length: MAX_FILTER_PROTOCOLS }, (_, i) => 255 - i), 4 * count],
      [Array.from({ length: MAX_FILTER_PROTOCOLS }, (_, i) => i), 6 * count],
      ['all', 6 * count],
    ] as const) {
      withSocket({ protocols, slots: 2048 }, (setup) => {
        create();
        assert.equal(drain(setup), expected, `protocols ${protocols}`);
        assert.equal(setup.socket.memInfo().drops, 0);
      });
    }
  });

  test('a message longer than a slot keeps its real length and does not touch the next slot', () => {
    withSocket({ slotBytes: 64, slots: 8 }, (setup) => {
      const { ring, socket, producer } = setup;
      ring.bytes.fill(0xee, ring.slotsOffset);
      injector.create({ count: 1 });
      assert.equal(socket.receive(producer, 256), 1);
      const length = new DataView(ring.buffer, ring.offsetOf(0)).getUint32(0, true);
      assert.ok(length > 64);
      assert.equal(ring.lengthOf(0), length);
      assert.equal(ring.flagsOf(0) & MSG_TRUNC_FLAG, MSG_TRUNC_FLAG);
      assert.ok(ring.bytes.subarray(ring.offsetOf(1)).every((byte) => byte === 0xee));
      injector.flush();
    });
  });

  test('a full ring receives nothing; the rest waits in the socket and none is dropped', () => {
    withSocket({ slots: 100 }, (setup) => {
      injector.create({ count: 150 });
      assert.equal(drain(setup), 100);
      assert.equal(setup.producer.free(), 0);
      assert.ok(setup.socket.memInfo().queuedBytes > 0);
      assert.equal(setup.socket.memInfo().drops, 0);
      injector.flush();
    });
  });

  test('drops are counted exactly: received + dropped = sent', () => {
    for (const rcvbufBytes of [4096, 64 << 10, 1 << 20]) {
      withSocket({ rcvbufBytes, slots: 8192 }, (setup) => {
        const before = setup.socket.memInfo().drops;
        injector.create({ count: 3000 });
        injector.flush();
        const { drops, queuedBytes, limitBytes } = setup.socket.memInfo();
        assert.ok(drops > before, 'the buffer was meant to overrun');
        assert.ok(queuedBytes <= limitBytes + EVENT_TRUESIZE_BYTES);
        const received = drain(setup);
        assert.equal(received + drops, 6000);
        assert.ok(received >= Math.floor(limitBytes / EVENT_TRUESIZE_BYTES), `${received} of ${limitBytes}`);
        // It goes on at once: no congested state.
        injector.create({ count: 1 });
        injector.flush();
        assert.equal(drain(setup), 2);
        assert.equal(setup.socket.memInfo().drops, drops);
      });
    }
  });

  test('the granted buffer is what was asked for; without the capability it is capped', () => {
    withSocket({ rcvbufBytes: 32 << 20 }, ({ socket }) => {
      assert.equal(socket.rcvbufBytes, 32 << 20);
      assert.equal(socket.memInfo().limitBytes, 64 << 20);
    });
    withoutNetAdmin(() => {
      const ring = createRing({ slots: 1, slotBytes: 512, extraBytes: RECEIVE_EXTRA_BYTES });
      const socket = EventSocket.open(ring, { rcvbufBytes: 1 << 30, protocols: 'all' });
      try {
        // Not a setting per namespace, but a file everybody can read.
        assert.equal(socket.rcvbufBytes, Number(readFileSync('/proc/sys/net/core/rmem_max', 'latin1')));
      } finally {
        socket.close();
      }
    });
  });

  test('without CAP_NET_ADMIN joining fails in one line that names it', () => {
    withoutNetAdmin(() => {
      assert.throws(
        () => withSocket({}, () => {}),
        (error) => {
          assert.ok(error instanceof SystemFailure);
          assert.equal(error.code, 'EPERM');
          assert.match(error.message, /^join group NEW: .*CAP_NET_ADMIN.*$/);
          return true;
        },
      );
    });
  });

  test('a subsystem that is not there is told from one that is', () => {
    const noSuchSubsystem = 200;
    assert.equal(hasNetfilterSubsystem(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS), true);
    assert.equal(hasNetfilterSubsystem(noSuchSubsystem, 0), false);
    withoutNetAdmin(() => {
      assert.equal(hasNetfilterSubsystem(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS), true);
    });
  });

  test('poll answers whether something waits; wake and close end it', async () => {
    const ring = createRing({ slots: 8, slotBytes: 512, extraBytes: RECEIVE_EXTRA_BYTES });
    const socket = EventSocket.open(ring, { rcvbufBytes: 1 << 20, protocols: 'all' });
    try {
      socket.join();
      assert.equal(await socket.poll(1), false);
      const waiting = socket.poll(60_000);
      injector.create({ count: 1 });
      assert.equal(await waiting, true);
      injector.flush();
      socket.receive(new RingProducer(ring), 8);
      const idle = socket.poll(60_000);
      socket.wake();
      assert.equal(await idle, false);
      const closed = socket.poll(60_000);
      socket.close();
      assert.equal(await closed, false);
    } finally {
      socket.close();
    }
  });
});

/** Run without the capability on this thread. */
function withoutNetAdmin(use: () => void): void {
  const before = capget();
  capset({ ...before, effective: before.effective & ~(1n << BigInt(CAP_NET_ADMIN)) });
  try {
    use();
  } finally {
    capset(before);
  }
}
