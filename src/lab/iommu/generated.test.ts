/** The generated load: the same for a seed, of the recorded one's shape, and never what a driver would not do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError, GIB, KIB, MIB } from '../../base/index.js';
import { generateIommuLoad } from './generated.js';
import { formatIommuOperation, type IommuStep, parseIommuScript } from './script.js';

const textOf = (seed: number, ops: number) =>
  generateIommuLoad({ seed, ops }).steps.map(formatIommuOperation).join('\n');

test('a seed and a number of operations name one load', () => {
  assert.equal(textOf(5, 3000), textOf(5, 3000));
  assert.notEqual(textOf(5, 300), textOf(6, 300));
  const { source, steps } = generateIommuLoad();
  assert.equal(source, 'generated --seed 1 --ops 1000');
  assert.deepEqual(
    steps.map(({ line }) => line),
    Array.from({ length: 1000 }, (_, i) => i + 1),
  );
});

/** What a driver must hold to: buffers of pages that do not overlap, and unmaps of what is mapped. */
function checkDriver(steps: readonly IommuStep[]): void {
  const live = new Map<number, number>();
  for (const step of steps) {
    if (step.kind === 'unmap') {
      assert.equal(live.get(step.iova), step.size);
      live.delete(step.iova);
      continue;
    }
    assert.ok(step.kind === 'map');
    const { iova, paddr, size, chunk, stride } = step;
    for (const bytes of [iova, paddr, size, chunk, stride]) assert.equal(bytes % (4 * KIB), 0);
    assert.ok(size > 0 && size <= 32 * MIB && iova + size <= 4 * GIB);
    const chunks = Math.ceil(size / chunk);
    assert.ok(paddr >= GIB && paddr + (chunks - 1) * stride + chunk <= 4 * GIB);
    for (const [other, bytes] of live) assert.ok(other + bytes <= iova || iova + size <= other);
    live.set(iova, size);
  }
}

test('it is a driver’s: no overlap, no unmap of nothing, whole pages below 4 GiB', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 600 }), (seed, ops) => {
      const { steps } = generateIommuLoad({ seed, ops });
      assert.equal(steps.length, ops);
      checkDriver(steps);
    }),
    { numRuns: 30, seed: 7 },
  );
});

test('it has the recorded load’s shape', () => {
  const { steps } = generateIommuLoad({ seed: 3, ops: 20_000 });
  checkDriver(steps);
  const maps = steps.flatMap((step) => (step.kind === 'map' ? [step] : []));
  assert.ok(Math.abs(maps.length / steps.length - 0.5) < 0.05);
  const aligned = maps.filter(
    ({ iova, size }) => iova % Math.min(2 ** Math.floor(Math.log2(size)), 16 * MIB) === 0,
  );
  // 7 of 10 are placed so; a page is aligned wherever it lies.
  assert.ok(aligned.length / maps.length > 0.68 && aligned.length / maps.length < 0.8);
  const pieces = (of: number) =>
    maps.filter(({ size, chunk }) => chunk === of && chunk < size).length / maps.length;
  for (const piece of [4 * KIB, 64 * KIB, MIB]) assert.ok(pieces(piece) > 0.05, `pieces of ${piece}`);
  assert.ok(maps.some(({ size }) => size === 4 * KIB) && maps.some(({ size }) => size > 31 * MIB));
  assert.ok(
    maps.some(({ size }) => size > MIB && size % (64 * KIB) !== 0),
    'odd tails',
  );
});

test('as a script it is the same load', () => {
  const { steps } = generateIommuLoad({ ops: 500 });
  assert.deepEqual(parseIommuScript(textOf(1, 500), 'x').steps, steps);
});

test('numbers that make no load are refused', () => {
  for (const ops of [0, -1, 1.5, 1_000_001, Number.NaN])
    assert.throws(() => generateIommuLoad({ ops }), ArgumentError, String(ops));
});
