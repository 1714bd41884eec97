/**
 * `node dist/test/simulate/main.js [FROM [COUNT [CLASS...]]]`: worlds from seed FROM on, the broken promises
 * of each in a line, a table of what was covered. Exit code 1 when a promise was broken.
 */

import { FAULTS, type Fault } from './fault-classes.js';
import { Broken } from './oracle.js';
import { type Account, World } from './world.js';

process.env.TZ = 'UTC';

const [from = '1', count = '100', ...classes] = process.argv.slice(2);
const accounts: Account[] = [];
const broken = new Map<string, { seeds: number[]; first: string }>();
const begun = performance.now();
for (let seed = Number(from); seed < Number(from) + Number(count); seed++) {
  try {
    accounts.push(await new World(seed, classes.length > 0 ? (classes as Fault[]) : FAULTS).live());
  } catch (error) {
    const promise = error instanceof Broken ? error.promise : `internal: ${(error as Error).name}`;
    const known = broken.get(promise) ?? { seeds: [], first: '' };
    known.seeds.push(seed);
    if (known.first === '')
      known.first = error instanceof Broken ? error.message : ((error as Error).stack ?? String(error));
    broken.set(promise, known);
  }
}
const seconds = (performance.now() - begun) / 1000;
for (const [promise, { seeds, first }] of broken)
  console.log(`${promise}: ${seeds.length} worlds, first seed ${seeds[0]}: ${first}`);
const sum = (of: (account: Account) => number) => accounts.reduce((total, account) => total + of(account), 0);
console.log(
  `${count} worlds, ${(Number(count) / seconds).toFixed(1)}/s: ${sum((a) => a.events)} events, ` +
    `${sum((a) => a.rotations)} rotations, ${sum((a) => a.restarts)} restarts, ${sum((a) => a.faults.length)} faults`,
);
for (const fault of FAULTS)
  console.log(`  ${fault}: ${sum((a) => a.faults.filter((of) => of === fault).length)}`);
if (broken.size > 0) process.exitCode = 1;
