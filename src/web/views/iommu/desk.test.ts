import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addressOf,
  type Choice,
  choiceOf,
  commandOf,
  EXTRAS,
  extrasOf,
  FIRST_CHOICE,
  wholeNumber,
} from './desk.js';

test('an address says no more than what is not usual', () => {
  assert.deepEqual([...extrasOf(FIRST_CHOICE, 0)], []);
  const choice: Choice = { ...FIRST_CHOICE, seed: 3, withoutDma32: true, freeEmpty: true };
  assert.deepEqual(Object.fromEntries(extrasOf(choice, 0x1000)), {
    seed: '3',
    tables: 'slub',
    'free-empty': '1',
    at: '0x1000',
  });
  assert.equal(
    extrasOf({ ...FIRST_CHOICE, load: 'script', script: '#'.repeat(3000) }, 0).has('script'),
    false,
  );
});

test('what an address says is read back, and nonsense in it is left out', () => {
  const choice = fc.record<Choice>({
    load: fc.constantFrom('generated', 'recorded', 'script'),
    seed: fc.nat(),
    ops: fc.integer({ min: 1, max: 1_000_000 }),
    script: fc.string({ maxLength: 100 }),
    withoutDma32: fc.boolean(),
    freeEmpty: fc.boolean(),
    fixed: fc.boolean(),
    era: fc.constantFrom('current', 'v6'),
  });
  const property = fc.property(choice, fc.nat(2 ** 31), (drawn, at) => {
    const words = extrasOf(drawn, at);
    assert.ok([...words.keys()].every((name) => (EXTRAS as readonly string[]).includes(name)));
    const read = choiceOf(words);
    assert.equal(read.at, at);
    // What a load does not have is not in its address.
    assert.deepEqual(extrasOf(read.choice, at), words);
    assert.deepEqual(
      { ...read.choice, seed: 0, ops: 0, script: '' },
      { ...drawn, seed: 0, ops: 0, script: '' },
    );
  });
  fc.assert(property, { seed: 5 });
  const nonsense = new Map([
    ['load', 'everything'],
    ['seed', '-1'],
    ['ops', '0'],
    ['at', 'here'],
    ['era', 'v9'],
  ]);
  assert.deepEqual(choiceOf(nonsense), { choice: FIRST_CHOICE, at: 0 });
});

test('addresses and numbers are read as people type them', () => {
  assert.deepEqual(['0x10000000', ' 256M ', 'fe000', '4096'].map(addressOf), [
    2 ** 28,
    2 ** 28,
    0xfe000,
    4096,
  ]);
  assert.deepEqual(['', 'here', '-1', '0xg'].map(addressOf), Array(4).fill(undefined));
  assert.deepEqual(
    ['5', '0', '11', 'x', undefined].map((text) => wholeNumber(text, 1, 10)),
    [5, undefined, undefined, undefined, undefined],
  );
});

test('the command line that prints the same is named', () => {
  assert.equal(commandOf(FIRST_CHOICE), 'slablab iommu');
  assert.equal(
    commandOf({
      ...FIRST_CHOICE,
      load: 'recorded',
      withoutDma32: true,
      freeEmpty: true,
      fixed: true,
      era: 'v6',
    }),
    'slablab iommu recorded --without-dma32 --free-empty --faults fixed --era v6',
  );
  assert.equal(commandOf({ ...FIRST_CHOICE, seed: 2, ops: 50 }), 'slablab iommu --seed 2 --ops 50');
});
