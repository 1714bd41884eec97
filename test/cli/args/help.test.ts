import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandClass } from 'clipanion';
import { modeByWord, modeName, modes } from '../../../src/cli/args/modes.js';
import { CaptureCommand } from '../../../src/cli/commands/capture.js';
import { HeaderCommand } from '../../../src/cli/commands/header.js';
import { ListCommand } from '../../../src/cli/commands/list.js';
import { RepairCommand } from '../../../src/cli/commands/repair.js';
import { SqueezeCommand } from '../../../src/cli/commands/squeeze.js';
import { StatsCommand } from '../../../src/cli/commands/stats.js';
import { TestCommand } from '../../../src/cli/commands/test.js';
import { defaultRecorderOptions as defaults } from '../../../src/record/main/options.js';
import { RING_SLOT_BYTES, RING_SLOTS_MIN } from '../../../src/record/stage/message-ring.js';
import { ctrecorder } from '../command-line.js';

const commands: Readonly<Record<string, CommandClass>> = {
  capture: CaptureCommand,
  list: ListCommand,
  test: TestCommand,
  squeeze: SqueezeCommand,
  header: HeaderCommand,
  stats: StatsCommand,
  repair: RepairCommand,
};

for (const [word, command] of Object.entries(commands))
  test(`${word}: declared options and typed fields are the same`, () => {
    const mode = modeByWord(word)!;
    let takesFiles = false;
    const fields = Object.values(new command()).flatMap((field: unknown) => {
      const names: string[] = [];
      const builder = {
        addOption: ({ names: found, nameSet }: { names?: string[]; nameSet?: string[] }) =>
          names.push(...(found ?? nameSet ?? [])),
        addRest: () => {
          takesFiles = true;
        },
      };
      (field as { definition?: (to: unknown, key: string) => void } | undefined)?.definition?.(builder, 'x');
      return names;
    });
    assert.deepEqual(fields.sort(), mode.options.map(({ name }) => `--${name}`).sort());
    assert.equal(takesFiles, mode.takes !== undefined);
  });

test('no letter or long name is declared twice in a mode', () => {
  for (const { options } of modes) {
    const names = options.flatMap(({ letter, name }) => (letter === undefined ? [name] : [letter, name]));
    assert.equal(new Set(names).size, names.length);
  }
});

test('-h prints every mode with every option, -h of a mode only its own', () => {
  const { code, stdout, stderr } = ctrecorder(['-h']);
  assert.equal(code, 0);
  assert.equal(stderr, '');
  for (const mode of modes) {
    const own = ctrecorder([mode.word, '--help']).stdout;
    assert.ok(stdout.includes(`ctrecorder ${modeName(mode)}`));
    assert.ok(mode.word === 'version' || stdout.includes(own), mode.word);
    for (const { letter, name, value } of mode.options) {
      const term = `${letter === undefined ? '   ' : `-${letter},`} --${name}${value === undefined ? '' : ` ${value}`} `;
      assert.ok(own.includes(`  ${term}`), term);
    }
  }
  assert.ok(!ctrecorder(['-Lh']).stdout.includes('--rcvbuf'));
});

test('the help states the defaults of the code and what an event costs', () => {
  const text = ctrecorder(['-Ch']).stdout.replace(/\s+/g, ' ');
  assert.ok(text.includes(`(default ${defaults.rcvbufKiB})`));
  assert.ok(text.includes(`(default ${defaults.ringSlots})`));
  assert.ok(text.includes(`(default ${defaults.flushIntervalMs / 1000}s)`));
  assert.ok(text.includes(`(default ${defaults.stopTimeoutMs / 1000}s)`));
  assert.ok(text.includes(`(default ${defaults.saveLimitBytes / 2 ** 20}M)`));
  assert.ok(text.includes(`default ${defaults.rotateMinutes}: never`));
  assert.ok(text.includes(`(default ${defaults.reliableMaxTablePercent}%)`));
  assert.ok(text.includes(`slots of ${RING_SLOT_BYTES} bytes`));
  assert.ok(text.includes(`fewer than ${RING_SLOTS_MIN} are raised to ${RING_SLOTS_MIN}`));
  const events = Math.floor((2 * defaults.rcvbufKiB * 1024) / 1280);
  assert.ok(text.includes('1,280 bytes') && text.includes(`${events.toLocaleString('en')} by default`));
});
