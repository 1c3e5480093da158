import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usualJobs } from './sweep.js';

function snapshotsOf(objects: number) {
  const slabinfo = [
    'slabinfo - version: 2.1',
    '# name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>',
    `dentry ${objects} ${objects} 192 21 1 : tunables 0 0 0 : slabdata ${objects} ${objects} 0`,
    '',
  ].join('\n');
  const snapshots = [{ name: 'before', monoBegin: 1, monoEnd: 2, slabinfo }];
  return { text: JSON.stringify({ meta: {}, snapshots }), file: 'machine.json' };
}

test('a sweep has a cell a core, and fewer at a time where machines are large', () => {
  assert.equal(usualJobs(undefined, 16), 16);
  assert.equal(usualJobs(snapshotsOf(100_000), 16), 16);
  assert.equal(usualJobs(snapshotsOf(50_000_000), 16), 2);
  assert.equal(usualJobs(snapshotsOf(50_000_000), 1), 1);
  assert.equal(usualJobs(snapshotsOf(400_000_000), 16), 1);
});
