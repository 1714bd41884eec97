/**
 * `make soak`: what needs more than minutes. Names of parts as arguments: only those. Exit code 1 when a
 * promise was broken.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { assertUnharmed, killAgainAndAgain, killText } from '../e2e/killed.js';
import { accountsText, Overload } from '../e2e/overload.js';
import { raiseConntrackLimits } from '../lab/limits.js';
import { withNamespaces } from '../lab/namespace.js';
import { withFolder } from '../record/table/recording.js';
import { RUNS_FACTOR_VARIABLE } from './runs.js';

const KILLS = 200;
const WORLDS = 100_000;
const FLOOD_MS = 60_000;
const FLOOD_CONNECTIONS = 200_000;
const FLOOD_RCVBUF_KIB = 64;
const FUZZ_FACTOR = 10;
const FUZZED = [
  'record/conntrack/mutation',
  'log/read/damage',
  'log/format/records',
  'find/hostile',
  'find/upkeep/repair',
  'record/replay/hostile',
];

/** Each answers what it found, in a line. */
const parts: Readonly<Record<string, () => Promise<string>>> = { fuzz, kills, simulate, flood };

async function fuzz(): Promise<string> {
  const files = FUZZED.map((name) => fileURLToPath(new URL(`../${name}.test.js`, import.meta.url)));
  const env = { ...process.env, [RUNS_FACTOR_VARIABLE]: String(FUZZ_FACTOR) };
  const flags = ['--test', '--test-concurrency=1', '--test-reporter=spec'];
  const { status } = spawnSync(process.execPath, [...process.execArgv, ...flags, ...files], {
    env,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`a property does not hold, see above (${status})`);
  return `${FUZZED.length} files of properties, each ${FUZZ_FACTOR} times as often as in make test`;
}

async function kills(): Promise<string> {
  const accounts = await killAgainAndAgain(KILLS);
  console.log(killText(accounts));
  assertUnharmed(accounts);
  return killText(accounts);
}

/** Worlds of the simulator, on every core. */
async function simulate(): Promise<string> {
  const program = fileURLToPath(new URL('../simulate/main.js', import.meta.url));
  const share = Math.ceil(WORLDS / cpus().length);
  const codes = await Promise.all(
    cpus().map((_, i) => {
      const args = [program, String(1 + i * share), String(share)];
      const child = spawn(process.execPath, [...process.execArgv, ...args], { stdio: 'inherit' });
      return once(child, 'close').then(([code]) => code as number);
    }),
  );
  if (codes.some((code) => code !== 0)) throw new Error('a promise is broken in a world, see above');
  return `${share * codes.length} worlds`;
}

async function flood(): Promise<string> {
  const release = raiseConntrackLimits(2 * FLOOD_CONNECTIONS);
  let text = '';
  try {
    await withFolder((folder) =>
      withNamespaces(['soak'], async (namespace) => {
        const overload = await Overload.start(namespace, folder, FLOOD_RCVBUF_KIB);
        await overload.floodFor(FLOOD_MS, FLOOD_CONNECTIONS);
        text = accountsText(await overload.settle());
      }),
    );
  } finally {
    release();
  }
  return text;
}

const asked = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
const failed: string[] = [];
const said: string[] = [];
for (const name of asked) {
  try {
    said.push(`${name}: ${await parts[name]()}`);
  } catch (error) {
    failed.push(name);
    said.push(`${name}: FAILED: ${(error as Error).message}`);
  }
  console.log(said.at(-1));
}
console.log(
  `soak: ${failed.length === 0 ? 'all promises held' : `broken: ${failed.join(', ')}`}; ${said.join('; ')}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
