import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { TimeWriter } from '../../../src/base/time/time-text.js';
import { utcZone } from '../../../src/base/time/zone.js';
import { RecordFlag, RecordKind } from '../../../src/event/batch.js';
import { gapLine } from '../../../src/find/output/gap-text.js';
import { LineWriter, MAX_LINE_BYTES } from '../../../src/find/output/lines.js';
import { repositoryPath } from '../../lab/repository.js';
import { batchOf, type TestRow } from '../helpers.js';

const TIME = 1_795_409_443_727_654;

function lineOf(row: Partial<TestRow>, withProtocol = false): string {
  const batch = batchOf([{ timeUs: TIME, ...row }]);
  const writer = new LineWriter(utcZone, withProtocol);
  writer.load(batch);
  // Old content shows whatever is scribbled and not overwritten.
  const bytes = new Uint8Array(MAX_LINE_BYTES).fill(0x21);
  const end = writer.line(new DataView(bytes.buffer), 0, batch, 0);
  return Buffer.from(bytes.subarray(0, end)).toString();
}

test('events carry their letter, and a plus once a reply was seen', () => {
  const rest = ' src=10.0.0.1:1000 dst=192.0.2.1:80 src=192.0.2.1:80 dst=203.0.113.1:1000\n';
  assert.equal(lineOf({}), `2026.11.23 04:50:43.727654 S ${rest}`);
  const { replied } = RecordFlag;
  assert.equal(lineOf({ kind: RecordKind.end, flags: replied }), `2026.11.23 04:50:43.727654 E+${rest}`);
  assert.equal(lineOf({ kind: RecordKind.update }), `2026.11.23 04:50:43.727654 U ${rest}`);
  assert.equal(lineOf({ kind: RecordKind.reset }), `2026.11.23 04:50:43.727654 R ${rest}`);
  assert.equal(lineOf({ kind: RecordKind.snapshot }), `2026.11.23 04:50:43.727654 O ${rest}`);
});

test('connections show two times, dashes where one was not seen', () => {
  const kind = RecordKind.connection;
  const rest = ' src=10.0.0.1:1000 dst=192.0.2.1:80 src=192.0.2.1:80 dst=203.0.113.1:1000\n';
  const start = '2026.11.23 04:50:43.727654';
  const end = '2026.11.23 04:50:44.000001';
  const dashes = '-          -              ';
  const endUs = 1_795_409_444_000_001;
  assert.equal(lineOf({ kind, endUs }), `${start} ${end}${rest}`);
  assert.equal(lineOf({ kind, flags: RecordFlag.endUnseen }), `${start} ${dashes}${rest}`);
  assert.equal(lineOf({ kind, endUs, flags: RecordFlag.startUnseen }), `${dashes} ${end}${rest}`);
});

test('IPv6, protocols without ports, and proto=NAME', () => {
  const v6 = { src: '2001:db8::1', sport: 443, dst: '::1', dport: 65535 };
  assert.match(
    lineOf(v6),
    / src=\[2001:db8::1\]:443 dst=\[::1\]:65535 src=\[::1\]:65535 dst=\[2001:db8::1\]:443\n$/,
  );
  const ping = { proto: 1, sport: 123, dport: 0x0800, replySport: 123, replyDport: 0 };
  assert.match(
    lineOf(ping, true),
    / src=10.0.0.1 dst=192.0.2.1 type=8 code=0 id=123 src=192.0.2.1 dst=203.0.113.1 type=0 code=0 id=123 proto=icmp\n$/,
  );
  assert.match(lineOf({ proto: 47 }), / src=10.0.0.1 dst=192.0.2.1 srckey=1000 dstkey=80 /);
  assert.match(
    lineOf({ proto: 50, ...v6 }, true),
    / src=2001:db8::1 dst=::1 src=::1 dst=2001:db8::1 proto=esp\n$/,
  );
  assert.match(lineOf({ proto: 253 }, true), / proto=253\n$/);
});

test('docs/listing.md shows what is printed', () => {
  const endUs = 1_795_409_444_060_994;
  const { start, end, snapshot, connection } = RecordKind;
  const { replied, startUnseen, endUnseen, derived } = RecordFlag;
  const ping = { proto: 1, sport: 7, dport: 0x0800, replySport: 7, replyDport: 0 };
  const gre = { proto: 47, sport: 1, dport: 2, replySport: 2, replyDport: 1 };
  const gap = { fromUs: TIME, toUs: endUs, lost: 3, cause: 'overrun' };
  const times = new TimeWriter(utcZone);
  const printed = [
    lineOf({}),
    lineOf({ kind: end, timeUs: endUs, flags: replied }),
    lineOf({ kind: snapshot }),
    lineOf({ kind: start, flags: derived }),
    lineOf({ kind: end, timeUs: endUs, flags: derived | replied }),
    lineOf({ kind: connection, endUs }),
    lineOf({ kind: connection, flags: endUnseen }),
    lineOf({ kind: connection, endUs, flags: startUnseen }),
    lineOf({ proto: 17, dport: 53 }, true),
    lineOf({ src: '2001:db8::1', sport: 443, dst: '2001:db8::2' }, true),
    lineOf(ping, true),
    lineOf(gre, true),
    lineOf({ proto: 50 }, true),
    gapLine({ ...gap, certainty: 'exact' }, times),
    gapLine({ ...gap, certainty: 'at-most' }, times),
    gapLine({ ...gap, certainty: 'unknown', cause: 'restart' }, times),
  ];
  const page = readFileSync(repositoryPath('docs/listing.md'), 'utf8');
  const examples = page.split('\n').filter((line) => line.startsWith('    '));
  assert.deepEqual(
    examples,
    printed.map((line) => `    ${line.trimEnd()}`),
  );
});

test('every address and port is printed as ipaddr.js prints it', () => {
  const hextet = fc.oneof(fc.constant(0), fc.constant(0xffff), fc.integer({ min: 0, max: 0xffff }));
  const address = fc.oneof(
    fc.ipV4(),
    fc
      .array(hextet, { minLength: 8, maxLength: 8 })
      .map((parts) => new ipaddr.IPv6(parts).toNormalizedString()),
  );
  fc.assert(
    fc.property(address, fc.integer({ min: 0, max: 65535 }), (text, port) => {
      const parsed = ipaddr.parse(text);
      const isV6 = parsed instanceof ipaddr.IPv6;
      // ipaddr.js writes mapped addresses in groups; RFC 5952 section 5 recommends the dotted form.
      const expected = !isV6
        ? text
        : parsed.isIPv4MappedAddress()
          ? `[::ffff:${parsed.toIPv4Address()}]`
          : `[${parsed.toRFC5952String()}]`;
      const row = { src: text, dst: text, replySrc: text, replyDst: text, sport: port };
      assert.ok(lineOf(row).includes(` src=${expected}:${port} dst=${expected}:80 `), lineOf(row));
    }),
  );
});
