import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PortMeaning, portMeaning, protocolName, protocolNumber } from '../../src/event/protocols.js';

test('every number has a name that leads back to it, in any case', () => {
  for (let number = 0; number < 256; number++) {
    const name = protocolName(number);
    assert.equal(protocolNumber(name), number);
    assert.equal(protocolNumber(name.toUpperCase()), number);
    assert.equal(protocolNumber(String(number)), number);
  }
});

test('names are those of /etc/protocols; without a name the number stands', () => {
  const names: [number, string][] = [
    [1, 'icmp'],
    [6, 'tcp'],
    [17, 'udp'],
    [33, 'dccp'],
    [47, 'gre'],
    [50, 'esp'],
    [58, 'icmpv6'],
    [132, 'sctp'],
    [136, 'udplite'],
    [0, '0'],
    [255, '255'],
  ];
  for (const [number, name] of names) assert.equal(protocolName(number), name);
});

test('other names for the same', () => {
  assert.equal(protocolNumber('ipv6-icmp'), 58);
  assert.equal(protocolNumber('ICMP6'), 58);
  assert.equal(protocolNumber('ipencap'), 4);
});

test('what is neither name nor number is undefined', () => {
  for (const text of ['', 'nosuch', '256', '999', '-1', '6.0', '0x6', '1e2', ' 6', '6 ', '0006', 'tcp,udp'])
    assert.equal(protocolNumber(text), undefined, text);
  // Names that every object has.
  for (const text of ['constructor', '__proto__', 'toString'])
    assert.equal(protocolNumber(text), undefined, text);
});

test('what the two port columns hold', () => {
  const meanings = Array.from({ length: 256 }, (_, number) => portMeaning(number));
  const numbersOf = (meaning: number) =>
    [...meanings.keys()].filter((number) => meanings[number] === meaning);
  assert.deepEqual(numbersOf(PortMeaning.ports), [6, 17, 33, 132, 136]);
  assert.deepEqual(numbersOf(PortMeaning.icmp), [1, 58]);
  assert.deepEqual(numbersOf(PortMeaning.gre), [47]);
});
