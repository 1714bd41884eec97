/**
 * The package as a user gets it: packed from a clone, installed globally, run by somebody else from
 * elsewhere, with and without koffi, and refused by a Node that is too old. npm answers from its cache where
 * it can.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { after, before, test } from 'node:test';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { repositoryPath } from '../lab/repository.js';

const NOBODY = { uid: 65534, gid: 65534 };
/** Of Debian 12 and of Ubuntu 22.04. */
const OLD_NODES = ['18.20.8', '12.22.12'];
const PREBUILT = ['x64', 'arm64'].includes(process.arch) && process.platform === 'linux';
const WITHOUT_OLD_NODES = `npm has no prebuilt Node of this machine (${process.platform}, ${process.arch})`;

// Node looks for koffi in node_modules of every folder above, and people leave one in /tmp.
const folder = makeFolder('package', '/var/tmp');
// It was made for us alone.
chmodSync(folder, 0o755);
after(() => removeFolder(folder));

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], options = {}): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { encoding: 'utf8', maxBuffer: 1 << 26, timeout: 300_000, ...options },
      (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

/** Of npm, whose answer is what it did; its cache comes first. */
async function npm(cwd: string, ...args: readonly string[]): Promise<string> {
  const words = [...args, '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, stdout, stderr } = await run('npm', words, { cwd });
  assert.equal(code, 0, `npm ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** A repository with what is committed here and what is about to be, and nothing that was built. */
function cloneOf(repository: string): string {
  const clone = join(folder, 'clone');
  mkdirSync(clone);
  // Whoever owns the checkout: root, in a container.
  const git = (cwd: string, ...args: readonly string[]) =>
    execFileSync('git', ['-c', 'safe.directory=*', ...args], { cwd, encoding: 'utf8' });
  const files = git(repository, 'ls-files', '-z', '--cached', '--others', '--exclude-standard')
    .split('\0')
    .filter((name) => name !== '' && existsSync(join(repository, name)));
  const tar = execFileSync('tar', ['-cf', '-', '--null', '-T', '-'], {
    cwd: repository,
    input: files.join('\0'),
    maxBuffer: 1 << 30,
  });
  execFileSync('tar', ['-xf', '-', '--no-same-owner'], { cwd: clone, input: tar });
  git(clone, 'init', '--quiet');
  git(clone, 'add', '--all');
  git(clone, '-c', 'user.name=test', '-c', 'user.email=test@localhost', 'commit', '--quiet', '-m', 'as here');
  return clone;
}

/** `ctrecorder ARGS` from PATH, in which `bin` is first, as nobody, from the root directory. */
function ctrecorder(bin: string, ...args: readonly string[]): Promise<Finished> {
  const PATH = `${bin}:${dirname(process.execPath)}`;
  return run('ctrecorder', args, { cwd: '/', env: { PATH, TZ: 'UTC' }, ...NOBODY });
}

/** Files below a folder, as paths from it. */
function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .filter((name) => !name.startsWith('node_modules/'));
}

/** Installed globally, with koffi. */
const full = join(folder, 'full/lib/node_modules/ctrecorder');
const fullBin = join(folder, 'full/bin');
/** Installed in a folder, without koffi: `--global` does not heed `--omit`. */
const reading = join(folder, 'reading/node_modules/ctrecorder');
const readingBin = join(folder, 'reading/node_modules/.bin');

before(async () => {
  const clone = cloneOf(repositoryPath(''));
  const packedAndInstalled = async () => {
    // From git npm makes a clone of its own, installs what builds, and builds.
    const name = (await npm(folder, 'pack', '--silent', `git+file://${clone}`)).trim().split('\n').at(-1)!;
    const install = (prefix: string, ...options: readonly string[]) =>
      npm(folder, 'install', '--prefix', join(folder, prefix), ...options, join(folder, name));
    await Promise.all([
      install('full', '--global', '--ignore-scripts'),
      install('reading', '--no-save', '--omit=optional'),
    ]);
  };
  await Promise.all([packedAndInstalled(), ...(PREBUILT ? OLD_NODES.map(installNode) : [])]);
});

const oldNode = (version: string) =>
  join(folder, `node-${version}/node_modules/node-linux-${process.arch}/bin/node`);

async function installNode(version: string): Promise<void> {
  const prefix = join(folder, `node-${version}`);
  const name = `node-linux-${process.arch}@${version}`;
  await npm(folder, 'install', '--prefix', prefix, '--no-save', '--ignore-scripts', name);
}

test('anybody runs it from anywhere; with koffi it captures, and no install script is needed', async () => {
  assert.ok(existsSync(join(full, 'node_modules/koffi')));
  const { code, stdout, stderr } = await ctrecorder(fullBin, '-V');
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^ctrecorder \d.*\nfile format: .*\ncapture: yes\n$/);
});

test('without koffi it says so, and reads', async () => {
  assert.ok(existsSync(reading));
  assert.ok(!existsSync(join(reading, '../koffi')));
  const { code, stdout } = await ctrecorder(readingBin, '-V');
  assert.equal(code, 0);
  assert.match(stdout, /^capture: no: the optional package koffi cannot be loaded/m);
  assert.match((await ctrecorder(readingBin, '-h')).stdout, /^ctrecorder /);

  // Another user may not be able to reach this repository.
  const golden = join(folder, 'golden.ct');
  execFileSync('install', ['-m', '644', repositoryPath('test/fixtures/log/golden-3.0.ct'), golden]);
  const listing = readFileSync(repositoryPath('test/fixtures/log/golden-3.0.list.utc.txt'), 'utf8');
  assert.equal((await ctrecorder(readingBin, '-LHf', golden)).stdout, listing);
});

test('every mode is there, and the threads are: a capture is replayed', async () => {
  const log = join(folder, 'replayed.ct');
  const capture = repositoryPath('test/fixtures/captures/demo.pcap');
  const program = join(fullBin, 'ctrecorder');
  const replayed = await run(program, ['-C', '-p', 'all', '--replay', capture, '-f', log], { cwd: '/' });
  assert.equal(replayed.code, 0, replayed.stderr);
  for (const words of [
    ['-T', log],
    ['-H', '-f', log],
    ['stats', log],
    ['-S', '-f', log],
  ]) {
    const { code, stderr } = await run(program, words, { cwd: '/' });
    assert.equal(code, 0, `${words[0]}: ${stderr}`);
  }
});

test('what is packed is complete, and nothing else is', () => {
  const files = filesBelow(full);
  for (const name of ['LICENSE', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'src/log/format/FORMAT.md'])
    assert.ok(files.includes(name), name);
  for (const name of ['docs', 'contrib'])
    assert.ok(
      files.some((file) => file.startsWith(`${name}/`)),
      name,
    );
  for (const name of files) assert.doesNotMatch(name, /\.map$|\.ts$|^dist\/(test|bench)/);

  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(full, 'package.json'), 'utf8'),
  ) as Record<string, Record<string, string>>;
  const known = new Set([
    ...builtinModules.flatMap((name) => [name, `node:${name}`]),
    ...Object.keys({ ...dependencies, ...optionalDependencies }),
  ]);
  const imported = /^(?:import|export)\s.*?from '([^']+)';$|\bimport\('([^']+)'\)/gm;
  let imports = 0;
  for (const file of files.filter((name) => name.endsWith('.js')))
    for (const [, fixed, dynamic] of readFileSync(join(full, file), 'utf8').matchAll(imported)) {
      // It holds the declarations of all commands, which are run from bundles of their own.
      if (dynamic !== undefined && file === 'dist/src/cli/run.js') continue;
      const name = fixed ?? dynamic;
      const there = name.startsWith('.')
        ? files.includes(normalize(join(dirname(file), name)))
        : known.has(name);
      assert.ok(there, `${file} imports ${name}, which is not installed`);
      imports++;
    }
  assert.ok(imports > 50, `${imports}`);
});

test('links of what is packed lead into the package', () => {
  const files = filesBelow(full);
  for (const file of files.filter((name) => name.endsWith('.md')))
    for (const [, link] of readFileSync(join(full, file), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g))
      assert.ok(files.includes(normalize(join(dirname(file), link))), `${file} links to ${link}`);
});

for (const version of OLD_NODES)
  test(`on Node ${version} every mode says in one line what is needed`, {
    skip: !PREBUILT && process.env.CI !== 'true' && WITHOUT_OLD_NODES,
  }, async () => {
    assert.ok(PREBUILT, WITHOUT_OLD_NODES);
    const needed = RegExp(
      `^ctrecorder needs Node\\.js 20\\.15 or later; this is v${version}: install a newer one.*\\n$`,
    );
    for (const words of [['-V'], ['-h'], [], ['-Lf', '/dev/null'], ['-C'], ['stats', '/dev/null']]) {
      const main = join(full, 'dist/src/cli/main.js');
      const { code, stdout, stderr } = await run(oldNode(version), [main, ...words], { cwd: '/', ...NOBODY });
      assert.deepEqual({ code, stdout }, { code: 1, stdout: '' }, `${words}: ${stderr}`);
      assert.match(stderr, needed);
    }
  });
