import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../src/base/errors.js';
import { resolveIdentity } from '../../../src/base/process/accounts.js';

const skip = process.platform === 'linux' ? false : 'needs /etc/passwd with root and nobody';

test('a name brings its number, group and supplementary groups', { skip }, () => {
  assert.deepEqual(resolveIdentity('root', undefined), { uid: 0, gid: 0, name: 'root' });
  assert.equal(resolveIdentity('nobody', undefined).name, 'nobody');
});

test('a number brings no supplementary groups; its group is that of the account, else the same number', {
  skip,
}, () => {
  const nobody = resolveIdentity('nobody', undefined);
  assert.deepEqual(resolveIdentity(String(nobody.uid), undefined), { uid: nobody.uid, gid: nobody.gid });
  assert.deepEqual(resolveIdentity('4000000123', undefined), { uid: 4000000123, gid: 4000000123 });
});

test('a group of one own, by name or number', { skip }, () => {
  assert.equal(resolveIdentity('nobody', 'root').gid, 0);
  assert.equal(resolveIdentity('nobody', '4000000123').gid, 4000000123);
  assert.deepEqual(resolveIdentity(undefined, '7'), { gid: 7 });
});

test('unknown names are refused', { skip }, () => {
  for (const user of ['no-such-user', '99999999999', '-1', '', '../x', '--help'])
    assert.throws(() => resolveIdentity(user, undefined), UsageError, user);
  for (const group of ['no-such-group', '4294967295', '-1'])
    assert.throws(() => resolveIdentity('nobody', group), UsageError, group);
});
