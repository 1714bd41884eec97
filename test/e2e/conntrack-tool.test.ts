/**
 * The listing against `conntrack -E`, recorded beside it: two programs that saw the same events say the same.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { toolEvents } from '../lab/conntrack-tool.js';
import { makeFolder, removeFolder, visibleNames } from '../lab/folder.js';
import { Gateway } from '../lab/gateway.js';
import { ctrecorder, listedEvents } from '../lab/listing.js';
import { labObstacle } from '../lab/namespace.js';
import { ObservedProcess } from '../lab/process.js';

const skip = process.env.CI === 'true' ? false : (labObstacle() ?? false);

it('the listing has the events that conntrack -E has, start before end', { skip }, async () => {
  const folder = makeFolder('e2e');
  const lab = await Gateway.start();
  try {
    const recorder = await ObservedProcess.recorder(lab.gateway, ['-C', '-F', '-p', 'all', '-f', 'log.ct'], {
      cwd: folder,
    });
    await recorder.says(/recording to/);
    const stopTool = await toolEvents(lab.gateway);
    // In parts that conntrack's own buffer holds.
    for (const family of [4, 6] as const) {
      await lab.fetch(40, { family });
      await lab.udpAnswered(20, { family, client: 1 });
      await lab.udpUnanswered(20, { family });
      lab.ping(3, { family });
      await lab.fetchForwarded(10, { family });
      await lab.endAll();
    }
    const expected = await stopTool(2 * 2 * 93);
    const { code, stderr } = await recorder.stop();
    assert.equal(code, 0, stderr);

    const [file] = visibleNames(folder);
    const listed = [...listedEvents(ctrecorder(['-L', '-f', file], folder))].map(
      ({ letter, text }) => letter + text,
    );
    assert.equal(expected.length, 2 * 2 * 93);
    assert.deepEqual(listed.toSorted(), expected.toSorted());
    const started = new Set<string>();
    for (const event of listed) {
      if (event.startsWith('S')) started.add(event.slice(1));
      else assert.ok(started.has(event.slice(1)), `an end before its start: ${event}`);
    }
  } finally {
    lab.remove();
    removeFolder(folder);
  }
});
