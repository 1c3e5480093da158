import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LevelColumns } from '../../../lab/index.js';
import { bestTile, createTiles, serves, type TileAsk } from './tiles.js';

/** What the worker makes of what is asked: columns of equally many rows that begin at multiples of them, or anywhere if replayed. */
function columnsOf({ from, to, columns, exact }: TileAsk, bucket: number): LevelColumns {
  const unit = exact ? 1 : bucket;
  const step = Math.max(Math.ceil((to - from) / columns / unit), 1) * unit;
  const first = exact ? from : Math.floor(from / step) * step;
  return {
    from: first,
    step,
    columns: Math.ceil((to - first) / step),
    times: new Float64Array(0),
    series: [],
  };
}

test('the best tile serves what it was made for, at any zoom', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 1e7 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0.000_01, max: 1, noNaN: true }),
      (rows, at, share) => {
        const span = Math.max(rows * share, 8);
        const from = at * (rows - span);
        const stretch = { from, to: from + span };
        const bucket = Math.max(Math.ceil(rows / 32768), 1);
        const ask = bestTile(stretch, rows, 1000, bucket);
        const tile = columnsOf(ask, bucket);
        const { step, columns } = tile;
        assert.ok(tile.from <= from && tile.from + step * columns >= stretch.to, 'it reaches as far');
        assert.ok(
          step <= Math.max(2 * (span / 1000), bucket / 2, 1) + bucket,
          `columns of ${step} rows for ${span / 1000} a pixel`,
        );
        if (ask.exact) assert.ok(ask.to - ask.from <= 2 * span + 2, 'no more is replayed than is near');
      },
    ),
    { seed: 5, numRuns: 300 },
  );
});

test('one is asked for at a time, then the last that was wanted', async () => {
  const asks: TileAsk[] = [];
  const answers: (() => void)[] = [];
  let told = 0;
  const tiles = createTiles({
    rows: 1e6,
    bucket: 31,
    ask(ask) {
      asks.push(ask);
      return new Promise((resolve) => {
        answers.push(() => resolve(columnsOf(ask, 31)));
      });
    },
    onTile: () => {
      told++;
    },
  });
  for (const to of [1e6, 5e5, 2e5, 1e5]) tiles.want({ from: 0, to }, 1000);
  assert.equal(asks.length, 1);
  answers[0]!();
  await new Promise(setImmediate);
  assert.equal(asks.length, 2);
  assert.equal(asks[1]!.to, 2e5, 'a screen beside the last one that was wanted');
  answers[1]!();
  await new Promise(setImmediate);
  assert.equal(told, 2);
  tiles.want({ from: 0, to: 1e5 }, 1000);
  assert.equal(asks.length, 2, 'what is there serves');
  assert.ok(serves(tiles.tile!, { from: 0, to: 1e5 }, 1e6, 1000));
  assert.ok(!serves(tiles.tile!, { from: 0, to: 1e6 }, 1e6, 1000));
});
