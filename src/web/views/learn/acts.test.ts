import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Gfp, InputError } from '../../../base/index.js';
import { GFP } from '../../../machine/index.js';
import { type Act, formatActs, parseActs } from './acts.js';

test('a line of a lesson says one act or several of a kind', () => {
  const acts = parseActs(
    'create tables 1K align=1024 flags=CACHE_DMA32 ctor; alloc tables 2 cpu=1 gfp=GFP_ATOMIC\nfree 1-2',
  );
  assert.deepEqual(acts, [
    { kind: 'create', name: 'tables', size: 1024, align: 1024, flags: 0x8000, ctor: true },
    { kind: 'alloc', name: 'tables', cpu: 1, gfp: GFP.ATOMIC },
    { kind: 'alloc', name: 'tables', cpu: 1, gfp: GFP.ATOMIC },
    { kind: 'free', object: 1, cpu: 0 },
    { kind: 'free', object: 2, cpu: 0 },
  ]);
  assert.deepEqual(formatActs(acts), [
    'create tables 1024 align=1024 flags=CACHE_DMA32 ctor',
    'alloc tables 2 cpu=1 gfp=GFP_ATOMIC',
    'free 1-2',
  ]);
});

test('a line that is wrong says which one, what was expected, and what stands there', () => {
  const wrong = [
    ['alloc tables;allok tables', /lesson:2: no operation is called 'allok'; did you mean 'alloc'/],
    ['free 0', /lesson:1: expected an object's number.*'0'/],
    ['free 5-3', /'5-3'/],
    ['alloc tables gfp=GFP_KERNAL', /did you mean 'GFP_KERNEL'/],
    ['alloc tables 100000', /at most 512 times/],
    ['create tables', /expected a size/],
    ['shrink tables now', /'now' does not belong here: shrink NAME/],
  ] as const;
  for (const [text, message] of wrong) {
    assert.throws(
      () => parseActs(text),
      (error) => error instanceof InputError && message.test(error.message),
      text,
    );
  }
});

const name = fc.constantFrom('tables', 'plain', 'a.b-c_1');
const cpu = fc.constantFrom(0, 1);
const gfp = fc.constantFrom<Gfp>(GFP.KERNEL, GFP.ATOMIC, (GFP.KERNEL | GFP.DMA32) as Gfp);
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    kind: fc.constant('create' as const),
    name,
    size: fc.integer({ min: 1, max: 8192 }),
    align: fc.constantFrom(0, 64, 1024),
    flags: fc.constantFrom(0, 0x8000, 0xc000),
    ctor: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('alloc' as const), name, cpu, gfp }),
  fc.record({ kind: fc.constant('free' as const), object: fc.integer({ min: 1, max: 9 }), cpu }),
  fc.record({ kind: fc.constantFrom('shrink' as const, 'destroy' as const), name }),
  fc.record({ kind: fc.constant('wait' as const), milliseconds: fc.nat(9999) }),
);

test('what was written is read back the same', () => {
  const property = fc.property(fc.array(anyAct, { maxLength: 30 }), (drawn) => {
    const acts = drawn.map((act) => ({ ...act }));
    const lines = formatActs(acts);
    assert.deepEqual(parseActs(lines.join(';')), acts);
    assert.ok(lines.length <= acts.length);
  });
  fc.assert(property, { seed: 1 });
});
