import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { SyslogSeverity } from '../../../src/base/libc/syslog.js';
import { createLogger, toSyslog } from '../../../src/operate/daemon/logger.js';

const module = new URL('../../../src/operate/daemon/logger.js', import.meta.url).href;

/** Lines that a process with this logger writes on its standard error. */
function logged(settings: string, code: string): string {
  const script = `import { createLogger } from ${JSON.stringify(module)}; const log = createLogger(${settings}); ${code}`;
  const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stderr;
}

test('JSON lines where there is no terminal', () => {
  const [line, rest] = logged('{ debug: false }', 'log.debug("no"); log.info({ files: 2 }, "yes");').split(
    '\n',
  );
  const { level, msg, files } = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual([level, msg, files], [30, 'yes', 2]);
  assert.equal(rest, '');
});

test('written at once, also when the process ends right after', () => {
  assert.match(
    logged('{ debug: true }', 'log.debug("last words"); process.kill(process.pid, 0); process.exit(0);'),
    /last words/,
  );
});

test('pretty is one line for people', () => {
  const text = logged('{ debug: false, format: "pretty" }', 'log.warn({ receiver: { a: 1 } }, "beware");');
  assert.match(text, /^\[\d{4}-\d\d-\d\d .*\] WARN: beware .*\n$/);
});

test('syslog gets message and severity', () => {
  const sent: [number, string][] = [];
  for (const level of [20, 30, 40, 50, 60])
    toSyslog(JSON.stringify({ level, msg: `level ${level}` }), (...line) => sent.push(line));
  assert.deepEqual(sent, [
    [SyslogSeverity.debug, 'level 20'],
    [SyslogSeverity.info, 'level 30'],
    [SyslogSeverity.warning, 'level 40'],
    [SyslogSeverity.error, 'level 50'],
    [SyslogSeverity.error, 'level 60'],
  ]);
});

test('warnings and errors also reach who waits for the start', () => {
  const told: string[] = [];
  const log = createLogger({ debug: false, format: 'json', alsoTo: (message) => told.push(message) });
  log.info('not this');
  log.warn('granted less');
  assert.deepEqual(told, ['granted less']);
});

test('a log that nobody reads ends nothing', () => {
  const script = `import { createLogger } from ${JSON.stringify(module)}; import { closeSync } from 'node:fs';
    const log = createLogger({ debug: false }); closeSync(2); log.error('lost'); process.exit(7);`;
  assert.equal(spawnSync(process.execPath, ['--input-type=module', '-e', script]).status, 7);
});
