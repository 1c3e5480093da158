import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError, InputError } from '../../base/index.js';
import { steadyWorkload, WorkloadBuilder } from './workload.js';
import { readV7sWorkload } from './workload-v7s.js';

const ABOUT = { title: 't', source: 's', objectSize: 1024, objectAlign: 1024 };

/** The smallest file of the schema, with chosen events. */
function file(events: unknown, extra: Record<string, unknown> = {}): string {
  const run = { ops: [['B', 0, 0, 0, 0, 0, 1, [0, 0, 0], events]], ...extra };
  return JSON.stringify({ meta: { schema: 'v7s-workload-1' }, runs: [run] }, null, 1);
}

test('events resolve to reused slots: no more slots than were live at once', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { minLength: 1, maxLength: 200 }), (steps) => {
      const builder = new WorkloadBuilder();
      const live: number[] = [];
      let next = 0;
      let peak = 0;
      for (const step of steps) {
        if (step < 6 || live.length === 0) {
          live.push(next);
          builder.alloc(next++);
        } else builder.free(live.splice(step % live.length, 1)[0]!);
        peak = Math.max(peak, live.length);
      }
      const workload = builder.build(ABOUT);
      assert.equal(workload.slots, peak);
      assert.equal(workload.peakLive, peak);
      assert.equal(workload.endLive, live.length);
      assert.equal(workload.allocations, next);
      assert.equal(workload.allocations + workload.frees, workload.events.length);
      const held = new Set<number>();
      for (const event of workload.events) {
        const slot = Math.abs(event) - 1;
        assert.equal(held.has(slot), event < 0);
        if (event > 0) held.add(slot);
        else held.delete(slot);
      }
      assert.deepEqual([...workload.drain].sort(), [...held].sort());
    }),
  );
});

test('a table handed out twice or given back twice is refused', () => {
  const builder = new WorkloadBuilder();
  builder.alloc(1);
  assert.throws(() => builder.alloc(1), ArgumentError);
  builder.free(1);
  assert.throws(() => builder.free(1), ArgumentError);
  assert.throws(() => builder.drainInOrder([1]), ArgumentError);
  assert.throws(() => new WorkloadBuilder().build(ABOUT), ArgumentError);
});

test('a steady workload stays near its number and is the same for the same seed', () => {
  for (const live of [1, 30, 100]) {
    const workload = steadyWorkload(live, 7, 20_000);
    assert.ok(workload.peakLive < 2 * live + 10, `${workload.peakLive} at the peak for ${live}`);
    assert.ok(
      Math.abs(workload.meanLive - live) < 0.1 * live + 1,
      `${workload.meanLive} on average for ${live}`,
    );
    assert.deepEqual(workload.events, steadyWorkload(live, 7, 20_000).events);
  }
  assert.notDeepEqual(steadyWorkload(30, 1, 1000).events, steadyWorkload(30, 2, 1000).events);
  assert.throws(() => steadyWorkload(0), ArgumentError);
  assert.throws(() => steadyWorkload(Number.NaN), ArgumentError);
});

test('a file of the schema is read; the order of the last frees is kept', () => {
  const events = [
    ['a', 5],
    ['a', 6],
    ['f', 5],
    ['a', 7],
  ];
  const workload = readV7sWorkload(
    file(events, {
      freeAll: [
        ['f', 7],
        ['f', 6],
      ],
      finalEmptyTables: 1,
    }),
    'w.json',
  );
  assert.deepEqual([...workload.events], [1, 2, -1, 1]);
  assert.deepEqual([...workload.drain], [0, 1]);
  assert.equal(workload.endEmpty, 1);
  assert.deepEqual([...workload.opEnds], [4]);
});

const BAD: readonly (readonly [what: string, text: string, line: number, message: RegExp])[] = [
  ['no JSON', '{"meta": {},\n "runs": [,]}', 2, /not JSON/],
  ['an empty file', '', 1, /not JSON/],
  [
    'another schema',
    JSON.stringify({ meta: { schema: 'v7s-cases' }, runs: [] }),
    1,
    /v7s-workload-1.*v7s-cases/,
  ],
  ['no runs', '{"meta":{"schema":"v7s-workload-1"},\n"runs": 3}', 2, /"runs" with a run.*3/],
  ['an unknown operation', file([]).replace('"B"', '"Q"'), 7, /operation 0/],
  ['an event that is none', file([['x', 1]]), 7, /operation 0.*\["x",1\]/],
  ['a free of what is not live', file([['f', 1]]), 7, /table 1 is given back and is not live/],
  [
    'an allocation of what is live',
    file([
      ['a', 1],
      ['a', 1],
    ]),
    7,
    /table 1 is handed out while it is live/,
  ],
  ['last frees that do not fit', file([['a', 1]], { freeAll: [['f', 2]] }), 1, /frees of the end/],
];

for (const [what, text, line, message] of BAD) {
  test(`${what}: an InputError with file, line and what was expected`, () => {
    assert.throws(
      () => readV7sWorkload(text, 'w.json'),
      (error) => {
        assert.ok(error instanceof InputError, String(error));
        assert.match(error.message, message);
        assert.equal(error.file, 'w.json');
        assert.ok(error.line >= 1 && error.message.startsWith(`w.json:${error.line}: `));
        if (line > 1 && what !== 'an event that is none') assert.ok(error.line > 1, `line ${error.line}`);
        return true;
      },
    );
  });
}
