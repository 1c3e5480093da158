import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Z_FREE, Z_MANAGED, ZONE_WORDS, type ZoneName } from '../../machine/index.js';
import { OTHER_PAGES, REQUESTED } from '../replay/measure.js';
import { recordMachine } from '../replay/recorder.case.test.js';
import { prepareReplay } from '../replay/replay.js';
import { startReplay } from '../replay/start.js';
import { AS_RECORDED } from '../what-if/what-if.js';
import { createLook } from './create-look.js';
import { recordLevels } from './level-recorder.js';
import {
  createLevels,
  LEVEL_BUCKETS_MAX,
  type LevelColumns,
  type LevelRecording,
  levelBucket,
} from './levels.js';

const { trace, snapshots } = recordMachine({
  seed: 21,
  cpus: 2,
  allocator: 'slub',
  before: 30,
  operations: 4000,
  snapshots: 1,
});
const recorded = prepareReplay({ trace, snapshots });

/** What each curve is behind each row, row by row, with what it was in front of the first. */
function modelOf(series: LevelRecording['series']): number[][] {
  const { built, run } = startReplay(recorded, AS_RECORDED);
  const { machine } = built;
  const { pageSize } = machine.kernel;
  const { zone } = machine.ledger;
  const taken = (z: number) => zone[z * ZONE_WORDS + Z_MANAGED]! - zone[z * ZONE_WORDS + Z_FREE]!;
  const values = series.map(() => [] as number[]);
  for (let row = 0; row <= trace.rows; row++) {
    run.advance(row);
    const { sums } = run.state.measure;
    series.forEach(({ kind, name }, at) => {
      const cache = kind === 'cache' ? built.find(name)!.cache.info : undefined;
      const value = {
        held: () => (machine.memory.takenPages() - sums[OTHER_PAGES]!) * pageSize,
        requested: () => sums[REQUESTED]!,
        others: () => sums[OTHER_PAGES]! * pageSize,
        zone: () => taken(machine.memory.zoneNames.indexOf(name as ZoneName)) * pageSize,
        cache: () => cache!.nrSlabs * pageSize * 2 ** cache!.oo.order,
      }[kind]();
      values[at]!.push(value);
    });
  }
  return values;
}

/** Each row of this trace does one thing, so that a column has no value that no row begins or ends with. */
function assertColumns(
  { from, step, columns, series }: LevelColumns,
  model: readonly number[][],
  end = trace.rows,
): void {
  series.forEach(({ least, most, last }, at) => {
    for (let column = 0; column < columns; column++) {
      const begin = from + column * step;
      const rows = model[at]!.slice(begin, Math.min(begin + step, end) + 1);
      const about = `series ${at}, rows from ${begin}`;
      assert.equal(last[column], rows.at(-1), about);
      assert.equal(least[column], Math.min(...rows), about);
      assert.equal(most[column], Math.max(...rows), about);
    }
  });
}

test('columns of any stretch are what a replay row by row goes through', () => {
  const look = createLook(recorded, AS_RECORDED);
  const { series } = look.levels;
  const all = series.map((_, at) => at);
  const model = modelOf(series);
  const record = (from: number, to: number, bucket: number): LevelRecording => {
    const { built, run } = startReplay(recorded, AS_RECORDED);
    run.advance(from);
    const recorder = recordLevels(built, from, to - from, bucket);
    run.record(recorder);
    run.advance(to);
    return recorder.finish();
  };
  const coarse = createLevels({ rows: trace.rows, recording: record(0, trace.rows, 7), record });
  assert.deepEqual(coarse.series, series);
  const stretch = fc.tuple(
    fc.integer({ min: 0, max: trace.rows - 1 }),
    fc.integer({ min: 1, max: trace.rows }),
    fc.integer({ min: 1, max: 300 }),
  );
  fc.assert(
    fc.property(stretch, ([from, rows, columns]) => {
      const to = Math.min(from + rows, trace.rows);
      for (const levels of [look.levels, coarse]) {
        const drawn = levels.draw(all, from, to, columns);
        assert.ok(drawn.columns <= columns && drawn.columns > 0);
        assert.equal(drawn.from % drawn.step, 0);
        assert.equal(drawn.step % levels.bucket, 0);
        assert.ok(drawn.from <= from && drawn.from + drawn.columns * drawn.step >= to);
        assertColumns(drawn, model);
      }
      const end = Math.min(from + 200, to);
      const exact = look.levels.exact(all, from, end, columns);
      assert.equal(exact.from, from);
      assertColumns(exact, model, end);
    }),
    { seed: 3, numRuns: 25 },
  );
  for (const [at, { peak }] of series.entries())
    assert.equal(peak, Math.max(...model[at]!), series[at]!.name);
  const [held] = look.levels.draw([0], 0, trace.rows, 1).series;
  assert.equal(held!.most[0], look.result.peak.bytes);
  const names = series.filter(({ kind }) => kind === 'cache').map(({ name }) => name);
  assert.deepEqual(
    names,
    look.result.caches.filter(({ peakSlabs }) => peakSlabs > 0).map(({ name }) => name),
  );
});

test('times are those of the first row of each column', () => {
  const look = createLook(recorded, AS_RECORDED);
  const times: number[] = [];
  for (const { rows, time } of trace.chunks(['time'])) times.push(...time.subarray(0, rows));
  const drawn = look.levels.draw([0], 0, trace.rows, 100);
  for (let column = 0; column < drawn.columns; column++)
    assert.equal(drawn.times[column], times[drawn.from + column * drawn.step]);
});

test('ten million rows have a bounded number of buckets', () => {
  for (const rows of [0, 1, 1000, 1e7, 1e7 + 1, 3e9]) {
    const buckets = Math.ceil(rows / levelBucket(rows));
    assert.ok(buckets <= LEVEL_BUCKETS_MAX && levelBucket(rows) >= 1, `${rows} rows`);
  }
  assert.equal(levelBucket(LEVEL_BUCKETS_MAX), 1);
});
