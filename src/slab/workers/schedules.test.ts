/** Schedules of two and three CPUs at a length for every day; `npm run schedules` is the long one (docs/workers.md). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runsOf } from '../../base/runs.case.test.js';
import { runSchedules } from './schedules.case.test.js';

test('whatever is killed, thrown or done by others at a step, nothing is lost and nothing is given twice', () => {
  const seed = Math.floor(Math.random() * 2 ** 20);
  const schedules = runsOf(200);
  const result = runSchedules({ schedules, seed, perCall: 4 });
  assert.ok(result.schedules >= schedules);
  for (const kind of ['kill', 'throw', 'switch', 'lose'] as const)
    assert.ok(result[kind] > schedules / 10, `seed ${seed}: ${JSON.stringify(result)}`);
});
