import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { adviseOn } from '../../../src/operate/doctor/advice.js';
import { BUCKET_MS, type Sample } from '../../../src/operate/doctor/sample.js';
import { tuneJson, tuneText } from '../../../src/operate/doctor/tune-text.js';
import { defaultRecorderOptions as defaults } from '../../../src/record/main/options.js';

const PER_SECOND = 1000 / BUCKET_MS;

/** A sample with so many events in each stretch. */
function sampleOf(buckets: number[], more: Partial<Sample> = {}): Sample {
  const events = buckets.reduce((sum, bucket) => sum + bucket, 0);
  return {
    durationMs: buckets.length * BUCKET_MS,
    starts: Math.ceil(events / 2),
    ends: Math.floor(events / 2),
    others: 0,
    lost: 0,
    buckets,
    messageBytes: events * 200,
    queueHighWaterBytes: 12_800,
    limitBytes: 2 ** 24,
    rcvbufBytes: 2 ** 23,
    eventBufferBytes: 1280,
    ...more,
  };
}

test('rates: mean, all but the busiest hundredth, the busiest', () => {
  const buckets = [...Array(198).fill(100), 500, 900];
  assert.deepEqual(adviseOn(sampleOf(buckets), []).rates, {
    mean: Math.round(((198 * 100 + 1400) / 200) * PER_SECOND),
    p99: 100 * PER_SECOND,
    burst: 900 * PER_SECOND,
  });
  assert.deepEqual(adviseOn(sampleOf([]), []).rates, { mean: 0, p99: 0, burst: 0 });
});

test('a quiet gateway needs the defaults', () => {
  const { rcvbufKiB, ringSlots } = adviseOn(sampleOf([1, 0, 2]), []);
  assert.deepEqual([rcvbufKiB, ringSlots], [defaults.rcvbufKiB, defaults.ringSlots]);
});

test('the buffer holds a quarter of a second of four times the busiest rate, the ring and the blocks a second', () => {
  for (const perSecond of [20_000, 100_000, 400_000]) {
    const { rcvbufKiB, ringSlots } = adviseOn(sampleOf([perSecond / PER_SECOND]), []);
    assert.ok((2 * rcvbufKiB * 1024) / 1280 >= perSecond);
    assert.ok(ringSlots + 65_536 >= 4 * perSecond);
    for (const [value, base] of [
      [rcvbufKiB, defaults.rcvbufKiB],
      [ringSlots, defaults.ringSlots],
    ])
      assert.ok(value === base || Number.isInteger(Math.log2(value)));
  }
});

test('an event that costs more needs more buffer; what was lost while watching is said first', () => {
  const usual = adviseOn(sampleOf([20_000]), []).rcvbufKiB;
  assert.equal(adviseOn(sampleOf([20_000], { eventBufferBytes: 2560 }), []).rcvbufKiB, 2 * usual);
  assert.equal(adviseOn(sampleOf([20_000], { eventBufferBytes: 0 }), []).rcvbufKiB, usual);
  assert.match(adviseOn(sampleOf([1], { lost: 7 }), []).reasons[0], /^7 events were lost while watching/);
});

test('text and JSON say the same; docs/json.md names every key', () => {
  const sample = sampleOf([1000, 3000]);
  const finding = { level: 'warning', code: 'acct-off', message: 'no counters' } as const;
  const advice = adviseOn(sample, [finding]);
  const json = JSON.parse(tuneJson(sample, advice));
  const text = tuneText(sample, advice);
  for (const part of [
    `-b ${json.advice.rcvbufKiB} -B ${json.advice.ringSlots}`,
    ...json.advice.reasons,
    'no counters',
  ])
    assert.ok(text.includes(part), part);
  const table = readFileSync('docs/json.md', 'utf8').split('## Tuning')[1];
  const documented = [...table.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, names]) => names.match(/\w+/g)!);
  assert.deepEqual(Object.keys(json), documented);
  assert.equal(JSON.parse(tuneJson(sampleOf([]), adviseOn(sampleOf([]), []))).messageBytes, null);
});
