/** What `tune` prints. docs/json.md describes the keys, and a test holds the two together. */
import type { Advice } from './advice.js';
import type { Sample } from './sample.js';

export function tuneText(sample: Sample, advice: Advice): string {
  const { starts, ends, lost, queueHighWaterBytes, limitBytes, durationMs } = sample;
  const { rates, eventBufferBytes, rcvbufKiB, ringSlots, reasons, sysctls } = advice;
  const events = starts + ends;
  const lines = [
    row(
      'watched',
      `${(durationMs / 1000).toFixed(1)} s: ${count(events)} events (${count(starts)} starts, ${count(ends)} ends), ${count(lost)} lost`,
    ),
    row(
      'events/s',
      `${count(rates.mean)} on average, at most ${count(rates.p99)} in 99 % of the 100 ms intervals, ${count(rates.burst)} in the busiest`,
    ),
    row(
      'per event',
      `${messageBytes(sample) ?? '-'} bytes of message, ${count(eventBufferBytes)} bytes of socket buffer`,
    ),
    row('buffer', `at most ${count(queueHighWaterBytes)} of ${count(limitBytes)} bytes in use`),
    '',
    row('use', `-b ${rcvbufKiB} -B ${ringSlots}`),
    ...reasons.map((reason) => row('', reason)),
    ...sysctls.map(({ message }) => row('sysctl', message)),
  ];
  return `${lines.join('\n')}\n`;
}

export function tuneJson(sample: Sample, advice: Advice): string {
  const { starts, ends, lost, queueHighWaterBytes, limitBytes, durationMs } = sample;
  const { rates, eventBufferBytes, rcvbufKiB, ringSlots, reasons, sysctls } = advice;
  return `${JSON.stringify({
    seconds: durationMs / 1000,
    events: starts + ends,
    starts,
    ends,
    lost,
    eventsPerSecond: rates,
    messageBytes: messageBytes(sample) ?? null,
    eventBufferBytes,
    queueHighWaterBytes,
    queueLimitBytes: limitBytes,
    advice: { rcvbufKiB, ringSlots, reasons },
    sysctls: sysctls.map(({ message }) => message),
  })}\n`;
}

function messageBytes({ messageBytes, starts, ends, others }: Sample): number | undefined {
  const messages = starts + ends + others;
  return messages === 0 ? undefined : Math.round(messageBytes / messages);
}

function row(term: string, text: string): string {
  return `${term.padEnd(10)}${text}`.trimEnd();
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
