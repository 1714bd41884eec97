import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { RECEIVE_EXTRA_BYTES } from '../../../src/base/libc/receive.js';
import { bindNetlink, closeDescriptor, setSocketOption } from '../../../src/base/libc/socket.js';
import {
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_BROADCAST_ERROR,
  NFNLGRP_CONNTRACK_DESTROY,
  NFNLGRP_CONNTRACK_NEW,
  SOL_NETLINK,
} from '../../../src/record/netlink/constants.js';
import { EventSocket } from '../../../src/record/netlink/event-socket.js';
import { Listeners } from '../../../src/record/netlink/listeners.js';
import { openNetfilterSocket } from '../../../src/record/netlink/netfilter.js';
import { createRing } from '../../../src/record/ring/layout.js';
import { inNamespace } from './in-namespace.js';

const NFNLGRP_CONNTRACK_UPDATE = 2;
const NOBODY = 1;

/** Another program's socket, for as long as `use` runs. */
function withListener(group: number, reliable: boolean, use: () => void): void {
  const fd = openNetfilterSocket();
  try {
    bindNetlink(fd);
    setSocketOption(fd, SOL_NETLINK, NETLINK_BROADCAST_ERROR, Number(reliable), 'reliable');
    setSocketOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, 'join');
    use();
  } finally {
    closeDescriptor(fd);
  }
}

inNamespace(import.meta.url, () => {
  test('only a listener to NEW or DESTROY that is in reliable mode counts, while it is there', () => {
    const listeners = new Listeners(NOBODY);
    try {
      assert.equal(listeners.someIsReliable(), false);
      for (const [group, reliable, expected] of [
        [NFNLGRP_CONNTRACK_NEW, false, false],
        [NFNLGRP_CONNTRACK_DESTROY, false, false],
        [NFNLGRP_CONNTRACK_UPDATE, true, false],
        [NFNLGRP_CONNTRACK_NEW, true, true],
        [NFNLGRP_CONNTRACK_DESTROY, true, true],
      ] as const) {
        withListener(group, reliable, () => assert.equal(listeners.someIsReliable(), expected));
        assert.equal(listeners.someIsReliable(), false);
      }
    } finally {
      listeners.close();
    }
  });

  test('one among more sockets than fit into one answer is found', () => {
    const listeners = new Listeners(NOBODY);
    const others = Array.from({ length: 800 }, () => openNetfilterSocket());
    try {
      for (const fd of others) bindNetlink(fd);
      assert.equal(listeners.someIsReliable(), false);
      withListener(NFNLGRP_CONNTRACK_DESTROY, true, () => assert.equal(listeners.someIsReliable(), true));
    } finally {
      for (const fd of others) closeDescriptor(fd);
      listeners.close();
    }
  });

  test('the own socket does not count, and is reliable only while it is told to be', () => {
    const ring = createRing({ slots: 8, slotBytes: 512, extraBytes: RECEIVE_EXTRA_BYTES });
    const socket = EventSocket.open(ring, { rcvbufBytes: 4096, protocols: 'all' });
    const [others, own] = [new Listeners(NOBODY), new Listeners(socket.inode)];
    try {
      socket.join();
      assert.match(readFileSync('/proc/net/netlink', 'latin1'), new RegExp(` ${socket.inode} *$`, 'm'));
      for (const on of [false, true, false]) {
        socket.setReliable(on);
        assert.equal(others.someIsReliable(), on);
        assert.equal(own.someIsReliable(), false);
      }
    } finally {
      others.close();
      own.close();
      socket.close();
    }
  });
});
