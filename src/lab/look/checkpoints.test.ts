import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordMachine } from '../replay/recorder.case.test.js';
import { prepareReplay } from '../replay/replay.js';
import { startReplay } from '../replay/start.js';
import { AS_RECORDED } from '../what-if/what-if.js';
import { createCheckpoints } from './checkpoints.js';

const { trace, snapshots } = recordMachine({
  seed: 4,
  cpus: 2,
  allocator: 'slub',
  operations: 3000,
  snapshots: 1,
});
const recorded = prepareReplay({ trace, snapshots });

test('copies share what is alike, and hold no more than they may', () => {
  const { built, run } = startReplay(recorded, AS_RECORDED);
  const roomy = createCheckpoints(built.machine.ledger, run);
  const first = roomy.bytes;
  assert.equal(first, roomy.usedBytes);
  roomy.take();
  assert.equal(roomy.bytes, first, 'a second copy of the same row is none');
  run.advance(1000);
  roomy.take();
  assert.ok(roomy.bytes < first + roomy.usedBytes, 'pages that did not change are not copied again');
  const shape = startReplay(recorded, AS_RECORDED);
  const most = 2 * first;
  const tight = createCheckpoints(shape.built.machine.ledger, shape.run, most);
  for (let row = 100; row <= trace.rows; row += 100) {
    shape.run.advance(row);
    tight.take();
    assert.ok(tight.bytes <= most || tight.before(row - 1) === 0, `${tight.bytes} of ${most} bytes`);
    assert.equal(tight.before(row), row, 'the newest is kept');
    assert.equal(tight.before(99), 0, 'and so is the first');
  }
});

test('who goes back has used what was used then: the rest of the ledger is empty again', () => {
  const { built, run } = startReplay(recorded, AS_RECORDED);
  const { ledger } = built.machine;
  const before = Buffer.from(ledger.buffer.slice(0));
  const copies = createCheckpoints(ledger, run);
  run.advance(trace.rows);
  copies.back(0);
  assert.equal(run.row, 0);
  assert.equal(Buffer.compare(Buffer.from(ledger.buffer), before), 0);
  built.machine.validate();
  run.advance(trace.rows);
  built.machine.validate();
});
