import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError, MIB, TIB } from '../base/index.js';
import { flatBytes, type ManagedBytes, sparseBytes } from './bytes.js';

const PAGE = 64;
const LENGTH = 4 * PAGE;

/** Both kinds over the same 256 addresses, far from 0. */
const KINDS: readonly (readonly [string, number, () => ManagedBytes])[] = [
  ['sparse', 5 * TIB, () => sparseBytes(PAGE)],
  ['sparse, filled', 5 * TIB, () => sparseBytes(PAGE, 0xa7)],
  ['flat', 3 * MIB, () => flatBytes(new Uint8Array(LENGTH), 3 * MIB)],
];

const operation = fc.oneof(
  fc.record({ op: fc.constant('set' as const), at: fc.nat(LENGTH - 1), value: fc.nat(255) }),
  fc.record({
    op: fc.constant('fill' as const),
    at: fc.nat(LENGTH - 1),
    length: fc.nat(LENGTH),
    value: fc.nat(255),
  }),
  fc.record({
    op: fc.constant('write' as const),
    at: fc.nat(LENGTH - 1),
    data: fc.uint8Array({ maxLength: LENGTH }),
  }),
  fc.record({ op: fc.constant('word' as const), at: fc.nat(LENGTH - 4), value: fc.nat(0xffffffff) }),
);

for (const [name, base, make] of KINDS) {
  test(`${name} bytes do what an array does`, () => {
    fc.assert(
      fc.property(
        fc.array(operation),
        fc.nat(LENGTH - 1),
        fc.nat(LENGTH),
        fc.nat(255),
        (operations, from, length, value) => {
          const bytes = make();
          const model = Uint8Array.from(bytes.read(base, LENGTH));
          for (const each of operations) {
            if (each.op === 'set') {
              bytes.set(base + each.at, each.value);
              model[each.at] = each.value;
            } else if (each.op === 'fill') {
              const count = Math.min(each.length, LENGTH - each.at);
              bytes.fill(base + each.at, count, each.value);
              model.fill(each.value, each.at, each.at + count);
            } else if (each.op === 'write') {
              const data = each.data.subarray(0, LENGTH - each.at);
              bytes.write(base + each.at, data);
              model.set(data, each.at);
            } else {
              bytes.setU32(base + each.at, each.value);
              new DataView(model.buffer).setUint32(each.at, each.value, true);
              assert.equal(bytes.getU32(base + each.at), each.value);
            }
          }
          assert.deepEqual(bytes.read(base, LENGTH), model);
          const count = Math.min(length, LENGTH - from);
          const part = [...model.subarray(from, from + count)];
          const first = part.findIndex((byte) => byte !== value);
          const last = part.findLastIndex((byte) => byte !== value);
          assert.equal(bytes.firstOther(base + from, count, value), first < 0 ? -1 : base + from + first);
          assert.equal(bytes.endOfOther(base + from, count, value), base + from + last + 1);
          for (const at of [0, from, LENGTH - 1]) assert.equal(bytes.get(base + at), model[at]);
          const words = new DataView(model.buffer);
          for (const at of [0, Math.min(from, LENGTH - 4), PAGE - 2])
            assert.equal(bytes.getU32(base + at), words.getUint32(at, true));
        },
      ),
    );
  });
}

test('what was forgotten reads as the filler again, and its neighbours stay', () => {
  const bytes = sparseBytes(PAGE, 9);
  bytes.fill(0, 3 * PAGE, 1);
  bytes.forget(PAGE, PAGE);
  assert.deepEqual(
    [bytes.get(PAGE - 1), bytes.get(PAGE), bytes.get(2 * PAGE - 1), bytes.get(2 * PAGE)],
    [1, 9, 9, 1],
  );
});

test('an address outside an array is refused, and nothing is written', () => {
  const array = new Uint8Array(16);
  const bytes = flatBytes(array, 4096);
  for (const call of [
    () => bytes.get(4095),
    () => bytes.set(4112, 1),
    () => bytes.fill(4110, 3, 1),
    () => bytes.write(4090, new Uint8Array(8)),
    () => bytes.read(Number.NaN, 1),
  ]) {
    assert.throws(call, ArgumentError);
  }
  assert.deepEqual(array, new Uint8Array(16));
});
