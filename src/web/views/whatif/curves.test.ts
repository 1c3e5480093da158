import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LevelSeries } from '../../../lab/index.js';
import { differenceOf, edgesOf, levelOf, mostOf, pointsIn, stepPath, valueAt } from './curves.js';

const CURVE = { rows: [0, 10, 20, 30], values: [100, 300, 200, 50] };

test('a curve has a step a point, at the most of its stretch', () => {
  assert.equal(
    stepPath(CURVE, { from: 0, to: 40 }, { bottom: 0, top: 400 }),
    'M0 750H250V250H500V500H750V875H1000',
  );
});

test('zoomed in it begins with the point that the left edge lies in', () => {
  assert.equal(stepPath(CURVE, { from: 15, to: 25 }, { bottom: 0, top: 400 }), 'M0 250H500V500H1000');
  assert.equal(stepPath(CURVE, { from: 32, to: 40 }, { bottom: 0, top: 400 }), 'M0 875H1000');
  assert.equal(stepPath({ rows: [], values: [] }, { from: 0, to: 10 }, { bottom: 0, top: 1 }), '');
  assert.equal(pointsIn(CURVE, { from: 0, to: 40 }), 3);
  assert.equal(pointsIn(CURVE, { from: 12, to: 18 }), 0);
});

test('the most is that of the stretches in sight', () => {
  assert.equal(mostOf([CURVE], { from: 0, to: 40 }), 300);
  assert.equal(mostOf([CURVE], { from: 20, to: 40 }), 200);
  assert.equal(mostOf([CURVE], { from: 35, to: 40 }), 50);
  assert.equal(mostOf([CURVE], { from: 0, to: 10 }), 100);
  assert.equal(valueAt(CURVE, 19), 300);
  assert.equal(valueAt(CURVE, 99), 50);
});

test('finer levels are found by what they are of', () => {
  const level = (kind: LevelSeries['kind'], name = ''): LevelSeries => ({ kind, name, peak: 1 });
  const series = [
    level('held'),
    level('requested'),
    level('others'),
    level('zone', 'dentry'),
    level('cache', 'dentry'),
  ];
  assert.equal(levelOf(series, 'all'), 0);
  assert.equal(levelOf(series, 'others'), 2);
  assert.equal(levelOf(series, { cache: 'dentry' }), 4);
  assert.equal(levelOf(series, { cache: 'filp' }), -1);
});

test('the difference is what B holds more, point by point, also where its points lie elsewhere', () => {
  const other = { rows: [0, 15, 30], values: [150, 250, 20] };
  const difference = differenceOf(CURVE, other);
  assert.deepEqual(Array.from(difference.rows), CURVE.rows);
  assert.deepEqual(Array.from(difference.values), [50, -150, 50, -30]);
  assert.deepEqual(edgesOf(difference, { from: 0, to: 40 }), { bottom: -150, top: 50 });
  assert.deepEqual(edgesOf(difference, { from: 21, to: 25 }), { bottom: 0, top: 50 });
  assert.deepEqual(edgesOf(differenceOf(CURVE, CURVE), { from: 0, to: 40 }), { bottom: 0, top: 0 });
  assert.equal(
    stepPath(difference, { from: 0, to: 40 }, { bottom: -150, top: 50 }),
    'M0 0H250V1000H500V0H750V400H1000',
  );
});
