/**
 * Where the bytes of a reader come from and go to: pipes, packed files, live files, full disks, other
 * people's files.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { makeFolder, removeFolder } from '../lab/folder.js';
import { ctrecorder, type Finished, program } from './command-line.js';

const NOBODY = 65534;

const folder = makeFolder('streams');
after(() => removeFolder(folder));
/** A file of each format, and how the first line on standard output of each reader begins. */
const logs = [
  { name: 'format 2', file: 'test/fixtures/legacy/legacy-tcp.ct', connections: 8 },
  { name: 'format 3', file: 'test/fixtures/log/golden-3.0.ct', connections: 29 },
];

/** A shell command, where `$0` is the file and `ctrecorder` the program. */
function shell(command: string, file: string): Finished {
  const script = `ctrecorder() { "$NODE" "$PROGRAM" "$@"; }; ${command}`;
  const env = { ...process.env, TZ: 'UTC', NODE: process.execPath, PROGRAM: program };
  const done = spawnSync('bash', ['-c', script, file], { encoding: 'utf8', env, timeout: 60_000 });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

for (const { name, file, connections } of logs) {
  const inputs: readonly [string, (mode: string) => string][] = [
    ['standard input', (mode) => `cat "$0" | ctrecorder ${mode} -f -`],
    ['standard input by its device', (mode) => `cat "$0" | ctrecorder ${mode} -f /dev/stdin`],
    ['a file as standard input', (mode) => `ctrecorder ${mode} -f - < "$0"`],
    ['gzip on standard input', (mode) => `gzip -c "$0" | ctrecorder ${mode} -f -`],
    ['a process substitution', (mode) => `ctrecorder ${mode} -f <(cat "$0")`],
    ['gzip in a process substitution', (mode) => `ctrecorder ${mode} -f <(gzip -c "$0")`],
  ];
  for (const [what, command] of inputs)
    test(`${name} from ${what}: list, header, test`, () => {
      for (const mode of ['-LH', '-LHs', '-H']) {
        const piped = shell(command(mode), file);
        assert.equal(piped.stdout, ctrecorder([mode, '-f', file]).stdout, mode);
        assert.equal(piped.code, 0, mode);
      }
      const tested = shell(command('-T'), file);
      assert.equal(tested.code, 0);
      const verdict = (stdout: string) => stdout.slice(stdout.indexOf(': '));
      assert.equal(verdict(tested.stdout), verdict(ctrecorder(['-T', file]).stdout));
    });

  test(`${name} from a named pipe: squeezed into another file, never in place`, () => {
    const pipe = join(folder, 'pipe');
    const output = join(folder, 'squeezed.ct');
    execFileSync('mkfifo', [pipe]);
    try {
      const refused = ctrecorder(['-Sf', pipe]);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /^ctrecorder: [^\n]+ add -o FILE\n$/);
      const done = shell(`cat "$0" > ${pipe} & ctrecorder -S -f ${pipe} -o ${output}`, file);
      assert.equal(done.code, 0);
      assert.match(done.stdout, new RegExp(`: ${connections} connections .*, \\d+ bytes\n$`));
      assert.equal(ctrecorder(['-LHf', output]).stdout, ctrecorder(['-LHsf', file]).stdout);
    } finally {
      rmSync(pipe);
      rmSync(output, { force: true });
    }
  });

  test(`${name} packed with gzip: squeezed into another file, never in place`, () => {
    const packed = join(folder, 'packed.ct.gz');
    const output = join(folder, 'unpacked.ct');
    writeFileSync(packed, gzipSync(readFileSync(file)));
    const bytes = readFileSync(packed);
    assert.equal(ctrecorder(['-Sf', packed]).code, 2);
    assert.deepEqual(readFileSync(packed), bytes);
    assert.equal(ctrecorder(['-Sf', packed, '-o', output]).code, 0);
    assert.equal(ctrecorder(['-LHf', output]).stdout, ctrecorder(['-LHsf', file]).stdout);
    rmSync(output);
  });

  for (const mode of ['-LH', '-LH --json', '-H', '-T'])
    test(`${name} to a full disk: ${mode} says it in one line`, () => {
      const { code, stderr } = shell(`ctrecorder ${mode} -f "$0" > /dev/full`, file);
      assert.equal(stderr, 'ctrecorder: output: no space left on device (ENOSPC)\n');
      assert.equal(code, 1);
    });

  test(`${name}: a live file is found and named on standard error, and not squeezed`, () => {
    const asked = join(folder, 'live.ct');
    copyFileSync(file, `${asked}.part`);
    for (const mode of ['-LH', '-H', '-T']) {
      const { code, stdout, stderr } = ctrecorder([mode, '-f', asked]);
      assert.equal(code, 0);
      assert.ok(stdout.length > 0);
      assert.equal(stderr, `${asked}: is still being written; reading ${asked}.part\n`);
    }
    const refused = ctrecorder(['-Sf', asked]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^ctrecorder: [^\n]+ is still being written[^\n]+\n$/);
    rmSync(`${asked}.part`);
  });

  test(`${name}: a file that may not be read is said so`, () => {
    const secret = join(folder, 'secret.ct');
    copyFileSync(file, secret);
    chmodSync(secret, 0);
    chmodSync(folder, 0o755);
    // Root may read everything.
    const other = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    for (const mode of ['-L', '-H', '-T', '-S']) {
      const done = spawnSync(process.execPath, [program, mode, '-f', secret], { encoding: 'utf8', ...other });
      assert.equal(done.stderr, `ctrecorder: ${secret}: permission denied\n`);
      assert.equal(done.status, 1);
    }
    rmSync(secret, { force: true });
  });
}

test('a capture is replayed from a process substitution', () => {
  const output = join(folder, 'replayed.ct');
  const capture = 'test/fixtures/captures/demo.pcap';
  const { code, stderr } = shell(`ctrecorder -C -f ${output} -p all --replay <(cat "$0")`, capture);
  assert.equal(code, 0, stderr);
  assert.match(ctrecorder(['-T', output]).stdout, /: sound, .* 462 records/);
  rmSync(output);
});

test('other packers are named, with what to type', () => {
  const xz = join(folder, 'log.ct.xz');
  // The first bytes of any xz file; what packs it need not be installed.
  writeFileSync(xz, Buffer.from('fd377a585a0000', 'hex'));
  for (const mode of ['-L', '-H', '-T', '-S']) {
    const { code, stderr } = ctrecorder([mode, '-f', xz]);
    assert.equal(code, 1);
    assert.equal(stderr, `ctrecorder: ${xz}: packed with xz: try "xz -dc FILE | ctrecorder -L -f -"\n`);
  }
});

test('a pipe that nobody writes to is waited for, and a signal ends that', async () => {
  const pipe = join(folder, 'silent');
  execFileSync('mkfifo', [pipe]);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const child = spawn(process.execPath, [program, '-Lf', pipe], { stdio: 'ignore' });
    // Opening for writing succeeds only once the reader stands at the pipe.
    const writer = spawn('bash', ['-c', 'exec 3> "$0"; echo open; read -r line', pipe], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      await once(writer.stdout, 'data');
      child.kill(signal);
      const [, ended] = (await once(child, 'close')) as [number | null, string];
      assert.equal(ended, signal);
    } finally {
      child.kill('SIGKILL');
      // The next reader must not meet this writer's end of the pipe.
      const gone = once(writer, 'close');
      writer.kill('SIGKILL');
      await gone;
    }
  }
});
