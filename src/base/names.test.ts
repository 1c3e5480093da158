import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnknownNameError } from './errors.js';
import { lookUp, nearestNames } from './names.js';

const KNOWN = [
  'x86_64',
  'mt8173',
  'arm64',
  'GFP_KERNEL',
  'GFP_KERNEL_ACCOUNT',
  'GFP_ATOMIC',
  'slub_max_order',
];

/** One slip of a finger: a letter lost, doubled or wrong, or two that changed places. */
const slip = fc.record({
  word: fc.constantFrom(...KNOWN),
  at: fc.nat(),
  kind: fc.constantFrom('lost', 'doubled', 'wrong', 'swapped'),
});

function withSlip({ word, at, kind }: { word: string; at: number; kind: string }): string {
  const i = at % (word.length - 1);
  const [before, letter, next, after] = [word.slice(0, i), word[i]!, word[i + 1]!, word.slice(i + 2)];
  if (kind === 'lost') return before + next + after;
  if (kind === 'doubled') return before + letter + letter + next + after;
  if (kind === 'wrong') return `${before}?${next}${after}`;
  return before + next + letter + after;
}

test('a word with one slip is suggested', () => {
  fc.assert(
    fc.property(slip, (made) => {
      const near = nearestNames(withSlip(made), KNOWN);
      assert.ok(near.includes(made.word), `${withSlip(made)}: ${near.join(', ')}`);
    }),
  );
});

test('suggestions are known words, at most three, in no case letter matters', () => {
  fc.assert(
    fc.property(fc.string(), (word) => {
      const near = nearestNames(word, KNOWN);
      assert.ok(near.length <= 3);
      for (const name of near) assert.ok(KNOWN.includes(name));
      assert.deepEqual(nearestNames(word.toUpperCase(), KNOWN), nearestNames(word.toLowerCase(), KNOWN));
    }),
  );
  assert.deepEqual(nearestNames('armm64', KNOWN), ['arm64']);
  assert.deepEqual(nearestNames('utterly different', KNOWN), []);
});

test('a word that differs in case alone is nearer than one that contains it', () => {
  assert.deepEqual(nearestNames('dma', ['dma32', 'DMA', 'Normal']), ['DMA', 'dma32']);
});

test('lookUp returns what a name stands for, or an error that names its neighbours', () => {
  const table = new Map([
    ['slub', 1],
    ['slab', 2],
    ['page_frag', 3],
  ]);
  assert.equal(lookUp('allocator', 'slab', table), 2);
  assert.throws(
    () => lookUp('allocator', 'slob', table),
    (error) =>
      error instanceof UnknownNameError &&
      error.word === 'slob' &&
      error.message === "no allocator is called 'slob'; did you mean 'slub' or 'slab'?" &&
      error.suggestions.join() === 'slub,slab',
  );
  assert.throws(() => lookUp('allocator', 'genalloc', table), {
    code: 'unknown-name',
    message: "no allocator is called 'genalloc'; known: slub, slab, page_frag",
  });
});
