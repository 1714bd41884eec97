import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { kernelFindings } from '../../../src/record/conntrack/sysctls.js';
import { makeFolder, removeFolder } from '../../lab/folder.js';

/** Findings for a directory of sysctls, as "level code". */
function findingsFor(sysctls: Record<string, number>): string[] {
  const directory = makeFolder('kernel');
  try {
    for (const [name, value] of Object.entries(sysctls))
      writeFileSync(join(directory, `nf_conntrack_${name}`), `${value}\n`);
    const findings = kernelFindings(directory);
    for (const { message } of findings) assert.doesNotMatch(message, /\n/);
    return findings.map(({ level, code }) => `${level} ${code}`);
  } finally {
    removeFolder(directory);
  }
}

test('all is well', () => {
  assert.deepEqual(findingsFor({ count: 0, events: 1, timestamp: 1, acct: 1 }), []);
  assert.deepEqual(findingsFor({ count: 0, events: 2, timestamp: 1, acct: 1 }), []);
});

test('events switched off is an error that names the sysctl', () => {
  assert.deepEqual(findingsFor({ count: 0, events: 0, timestamp: 1, acct: 1 }), ['error events-off']);
});

test('missing times and counters are warnings', () => {
  assert.deepEqual(findingsFor({ count: 0, events: 1, timestamp: 0, acct: 0 }), [
    'warning timestamp-off',
    'warning acct-off',
  ]);
});

test('a kernel without events, and one without conntrack', () => {
  assert.deepEqual(findingsFor({ count: 0, timestamp: 1, acct: 1 }), ['error no-events']);
  assert.deepEqual(findingsFor({}), ['error no-conntrack']);
  assert.deepEqual(
    kernelFindings(join(tmpdir(), 'ctrecorder-no-such-directory')).map(({ code }) => code),
    ['no-conntrack'],
  );
});

test('messages name what to change', () => {
  const directory = makeFolder('kernel');
  try {
    for (const name of ['count', 'events', 'timestamp', 'acct'])
      writeFileSync(join(directory, `nf_conntrack_${name}`), '0\n');
    const text = kernelFindings(directory)
      .map(({ message }) => message)
      .join('\n');
    assert.match(text, /net\.netfilter\.nf_conntrack_events=1/);
    assert.match(text, /nf_conntrack_timestamp/);
    assert.match(text, /nf_conntrack_acct/);
  } finally {
    removeFolder(directory);
  }
});
