/** What a reader of the results sees: tables, charts, JSON. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { expectedLoss, HELD_BY_BLOCKS, heldBySocket } from '../../bench/measure/buffers.js';
import { NO_NUMBERS, type TrialResult } from '../../bench/measure/trial.js';
import { compareMicro, type MicroResult } from '../../bench/micro/compare.js';
import { barChart, lineChart } from '../../bench/report/chart.js';
import { describeMachine } from '../../bench/report/machine.js';
import { ResultFolder } from '../../bench/report/results.js';
import { reportSideBySide, summarise } from '../../bench/report/side-by-side.js';
import { cellText, formatTable, percent } from '../../bench/report/table.js';
import { makeFolder, removeFolder } from '../lab/folder.js';

describe('a table', () => {
  it('has columns as wide as they must be, numbers to the right', () => {
    const text = formatTable(
      ['program', 'lost'],
      [
        ['a', 1234567],
        ['longer name', 0],
        ['odd', '-'],
      ],
    );
    assert.equal(
      text,
      [
        'program           lost',
        '-----------  ---------',
        'a            1,234,567',
        'longer name          0',
        'odd                  -',
        '',
      ].join('\n'),
    );
  });

  it('groups thousands and leaves fractions alone', () => {
    assert.deepEqual([0, 999, 1000, 1234567, 1234.5678, -1000].map(cellText), [
      '0',
      '999',
      '1,000',
      '1,234,567',
      '1,234.5678',
      '-1,000',
    ]);
  });

  it('says 0 % and 100 % only where it is exact', () => {
    assert.deepEqual(
      [percent(0, 9), percent(9, 9), percent(1, 1e9), percent(1e9 - 1, 1e9), percent(1, 3), percent(0, 0)],
      ['0 %', '100 %', '0.01 %', '99.99 %', '33.3 %', '-'],
    );
  });
});

describe('a line chart', () => {
  const chart = lineChart({
    title: 'a & <b>',
    subtitle: '',
    xLabel: 'x',
    yLabel: 'y',
    xScale: 'log',
    series: [
      {
        name: 'one',
        points: [
          [10, 0],
          [100, 50],
          [1000, 100],
        ],
      },
      { name: 'two', points: [[10, 100]] },
    ],
  });

  it('escapes what it is given, and closes what it opens', () => {
    assert.ok(chart.includes('a &amp; &lt;b&gt;'));
    const open: string[] = [];
    for (const [, closing, name, self] of chart.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (closing !== '') assert.equal(open.pop(), name);
      else if (self === '') open.push(name);
    }
    assert.deepEqual(open, []);
  });

  it('places points by their scales: even steps for powers on a logarithmic one, 0 at the bottom, the most at the top', () => {
    const [one, two] = [...chart.matchAll(/points="([^"]+)"/g)].map(([, points]) =>
      points.split(' ').map((point) => point.split(',').map(Number)),
    );
    const [[x1, bottom], [x2, middle], [x3, top]] = one;
    assert.ok(Math.abs(x2 - x1 - (x3 - x2)) < 0.2, 'powers of ten are equally far apart');
    assert.ok(Math.abs(bottom - middle - (middle - top)) < 0.2, '50 is half way between 0 and 100');
    assert.deepEqual(two[0], [x1, top]);
  });

  it('draws zeros of a logarithmic y scale at its bottom, and lives with nothing to draw', () => {
    const zero = lineChart({
      title: '',
      subtitle: '',
      xLabel: '',
      yLabel: '',
      yScale: 'log',
      series: [
        {
          name: '',
          points: [
            [1, 0],
            [2, 10],
            [3, 1000],
          ],
        },
      ],
    });
    const [, points] = /points="([^"]+)"/.exec(zero)!;
    const [first, second] = points.split(' ').map((point) => Number(point.split(',')[1]));
    assert.equal(first, second);
    for (const scale of ['linear', 'log'] as const) {
      const empty = lineChart({
        title: '',
        subtitle: '',
        xLabel: '',
        yLabel: '',
        xScale: scale,
        yScale: scale,
        series: [],
      });
      assert.ok(!/NaN|Infinity/.test(empty));
    }
  });
});

describe('a bar chart', () => {
  it('stacks its parts in proportion', () => {
    const chart = barChart({
      title: '',
      subtitle: '',
      yLabel: '',
      bars: ['a', 'b'],
      stack: [
        { name: 'user', values: [100, 300] },
        { name: 'system', values: [200, 0] },
      ],
    });
    const rects = [
      ...chart.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="#/g),
    ]
      .map(([, x, y, height]) => ({ x: Number(x), y: Number(y), height: Number(height) }))
      .filter(({ height }) => height !== 12); // the legend's
    const [aUser, aSystem, bUser, bSystem] = rects;
    assert.ok(Math.abs(aSystem.height - 2 * aUser.height) < 0.3);
    assert.ok(Math.abs(bUser.height - 3 * aUser.height) < 0.3);
    assert.equal(bSystem.height, 0);
    assert.equal(aSystem.x, aUser.x);
    assert.ok(Math.abs(aSystem.y + aSystem.height - aUser.y) < 0.2, 'the second stands on the first');
  });
});

describe('results', () => {
  it('are written as local unless they are to be kept, and read again', () => {
    const folder = makeFolder('results');
    try {
      const results = { machine: describeMachine(), numbers: [1, 2] };
      new ResultFolder(false, folder).writeJson('x.json', results);
      new ResultFolder(true, folder).writeSvg('x.svg', '<svg/>');
      assert.deepEqual(new ResultFolder(false, folder).readJson('x.json', ''), results);
      assert.equal(readFileSync(path.join(folder, 'local-x.json'), 'utf8').endsWith('}\n'), true);
      assert.equal(readFileSync(path.join(folder, 'x.svg'), 'utf8'), '<svg/>');
      assert.throws(
        () => new ResultFolder(true, folder).readJson('x.json', 'run it first'),
        /x\.json: no results to read .*; run it first$/,
      );
    } finally {
      removeFolder(folder);
    }
  });

  it('say what they were measured on', () => {
    const { cores, kernel, node, date } = describeMachine();
    assert.ok(cores >= 1);
    assert.ok(kernel !== '');
    assert.equal(node, process.version);
    assert.ok(!Number.isNaN(Date.parse(date)));
  });
});

function round(numbers: Partial<TrialResult>): TrialResult {
  return {
    ...NO_NUMBERS,
    program: 'p',
    flood: 'f',
    sent: 1000,
    recorded: 1000 - (numbers.lost ?? 0),
    cpuUserMs: 1,
    cpuSystemMs: 2,
    bytesOnDisk: 8000,
    ...numbers,
  };
}

describe('the summary of rounds', () => {
  it('has the median loss and the worst, and costs per event that was recorded', () => {
    const rounds = [
      round({ lost: 500, cpuUserMs: 1 }),
      round({ lost: 0, cpuUserMs: 3 }),
      round({ lost: 200 }),
    ];
    const summary = summarise(rounds)!;
    assert.equal(summary.lost, 200);
    assert.equal(summary.worstLost, 500);
    // 1 ms / 500, 3 ms / 1000, 1 ms / 800: the median is 2,000 ns.
    assert.equal(summary.userNsPerEvent, 2000);
    assert.equal(summary.bytesPerEvent, 10);
  });

  it('leaves out rounds without numbers, and is none without any', () => {
    const failed = round({ sent: 0, recorded: 0, failure: 'ended at its start' });
    assert.equal(summarise([failed, round({ lost: 1 })])?.lost, 1);
    assert.equal(summarise([failed]), undefined);
  });
});

describe('the report of the side-by-side', () => {
  it('has a row for every program, also for one that took no part or died, and writes JSON and charts', () => {
    const folder = makeFolder('report');
    try {
      const text = reportSideBySide(
        {
          machine: describeMachine(),
          bufferKiB: 8192,
          rounds: 1,
          programs: [
            { name: 'p', version: '1' },
            { name: 'ancestor', obstacle: 'not given (ANCESTOR=PATH)' },
            { name: 'dead', version: '2' },
          ],
          floods: [
            { name: 'f', summary: 'made up', connections: 500 },
            { name: 'g', obstacle: 'trafgen is missing' },
          ],
          trials: [
            round({ lost: 250, known: { note: 'warned once' } }),
            round({ program: 'dead', sent: 0, failure: 'ended at its start: why' }),
          ],
          rates: [
            round({ ratePerSecond: 100, createdPerSecond: 99, lost: 10 }),
            round({ createdPerSecond: 5000 }),
          ],
          kills: [
            { program: 'p', ratePerSecond: 1, begun: 100, readable: 50, dropped: 3 },
            { program: 'dead', ratePerSecond: 1, begun: 0, readable: 0, dropped: 0, failure: 'no' },
          ],
        },
        new ResultFolder(true, folder),
      );
      const row = (start: string) => text.split('\n').findLast((line) => line.startsWith(start))!;
      assert.match(text, /^p +1,000 +750 +250 +25\.0 % +250 +warned once +1,333 +2,667 +0 +0 +10\.67$/m);
      assert.match(text, /^ancestor .* not given$/m);
      assert.match(text, /^dead .* ended at its start: why$/m);
      assert.match(text, /^g: left out: trafgen is missing$/m);
      assert.match(text, /^p +1\.0 % +0 %$/m);
      assert.match(row('p '), /^p +100 +50 +50\.0 % +3$/);
      assert.deepEqual(readdirSync(folder).sort(), [
        'cpu-per-event.svg',
        'loss-against-rate.svg',
        'side-by-side.json',
      ]);
    } finally {
      removeFolder(folder);
    }
  });
});

describe('the rule of the buffers', () => {
  it('is that an event costs 1,280 bytes of twice the buffer', () => {
    assert.deepEqual([2048, 8192].map(heldBySocket), [3276, 13_107]);
  });

  it('is that a stall loses what comes in less what the buffers before it hold', () => {
    const buffers = { rcvbufKiB: 2048, ringSlots: 16_384 };
    assert.equal(expectedLoss(10_000, 'recorder', buffers), 10_000 - 3276);
    assert.equal(expectedLoss(3276, 'recorder', buffers), 0);
    assert.equal(expectedLoss(150_000, 'disk', buffers), 150_000 - 3276 - 16_384 - HELD_BY_BLOCKS);
    assert.equal(expectedLoss(80_000, 'disk', buffers), 0);
  });
});

describe('the comparison of micro-benchmarks', () => {
  const one = (name: string, nsPerUnit: number, marginPercent = 1): MicroResult => ({
    name,
    unit: 'event',
    nsPerUnit,
    marginPercent,
  });

  it('names what is slower or faster beyond noise, and what is on one side only', () => {
    const table = compareMicro(
      [one('same', 100), one('slow', 100), one('fast', 100), one('wild', 100, 40), one('gone', 100)],
      [one('same', 108), one('slow', 150), one('fast', 50), one('wild', 150, 40), one('added', 1)],
    );
    const verdicts = Object.fromEntries(
      table
        .trim()
        .split('\n')
        .slice(2)
        .map((line) => line.split(/ {2,}/))
        .map((cells) => [cells[0], cells[5] ?? '']),
    );
    assert.deepEqual(verdicts, {
      same: '',
      slow: 'slower',
      fast: 'faster',
      wild: '',
      gone: 'not run',
      added: 'new',
    });
  });
});
