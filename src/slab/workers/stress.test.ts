/** The stress test at a length for every day; `npm run stress` is the long one (docs/workers.md). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runStress } from './stress.case.test.js';

test('threads that free each other’s objects and are killed lose nothing and hand nothing out twice', async () => {
  const operations = 250_000;
  const result = await runStress({ threads: 3, operations, killEveryMs: 100 });
  assert.ok(result.operations >= 3 * operations);
  assert.ok(result.kills >= 3, `${result.kills} kills`);
});
