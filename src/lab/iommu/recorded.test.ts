/** Recorded workloads read as loads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../base/index.js';
import { GFP } from '../../machine/index.js';
import { readRecordedLoad } from './recorded.js';

const META = {
  schema: 'v7s-workload-1',
  cfg: { ias: 33, oas: 34, quirks: ['NO_PERMS', 'ARM_MTK_EXT'], pgsizes: '0x1111000', coherent: false },
  prot: 1,
};

function recording(ops: unknown, meta: unknown = META): string {
  return JSON.stringify({ meta, runs: [{ ops }] });
}

test('rows are maps and unmaps, the head is the domain', () => {
  const { steps, config, unit, careful } = readRecordedLoad(
    recording([
      ['B', 0x1000, 0x3000, 0x21fce000, 0x1000, 0x2000, 3, [0, 0, 0], []],
      ['B', 0x100000, 0x20000, 0xb4200000, 0x100000, 0x200000, 1, [0, 0, 0], []],
      ['V', 0x1000, 0x3000, 1, [0, 0, 3], []],
    ]),
    'w.json',
  );
  const common = { prot: 1, gfp: GFP.KERNEL };
  assert.deepEqual(steps, [
    {
      kind: 'map',
      iova: 0x1000,
      size: 0x3000,
      paddr: 0x21fce000,
      chunk: 0x1000,
      stride: 0x2000,
      ...common,
      line: 1,
    },
    {
      kind: 'map',
      iova: 0x100000,
      size: 0x20000,
      paddr: 0xb4200000,
      chunk: 0x20000,
      stride: 0x20000,
      ...common,
      line: 2,
    },
    { kind: 'unmap', iova: 0x1000, size: 0x3000, line: 3 },
  ]);
  assert.deepEqual(config, { ias: 33, oas: 34, quirks: 10, coherentWalk: false, pgsizeBitmap: 0x1111000 });
  assert.deepEqual([unit, careful], ['operation', true]);
});

test('what is no such recording is refused, with what stands there', () => {
  for (const [text, message] of [
    ['[1', /w\.json:1: not JSON/],
    ['[]', /expected "meta": \{"schema": "v7s-workload-1"\}, but there stands \[\]/],
    [recording([], { schema: 'v7s-1' }), /expected "meta": .*, but there stands \{"schema":"v7s-1"\}/],
    [JSON.stringify({ meta: META, runs: [] }), /expected "runs" with a run that has "ops"/],
    [recording([['X', 1]]), /expected operation 1 as \["B", iova, .*, but there stands \["X",1\]/],
    [
      recording([
        ['V', 0, 4096],
        ['B', 1, 2, 3],
      ]),
      /expected operation 2 as/,
    ],
    [recording([['V', -1, 4096]]), /expected operation 1 as/],
    [recording([], { ...META, prot: 'r' }), /expected "prot" as a number, but there stands "r"/],
    [recording([], { ...META, cfg: { ias: '32' } }), /expected "cfg" with ias/],
    [recording([], { ...META, cfg: { quirks: ['ARM_TTBR1'] } }), /expected quirks of short descriptors/],
  ] as const) {
    assert.throws(
      () => readRecordedLoad(text, 'w.json'),
      (error) => error instanceof InputError && message.test(error.message),
      text,
    );
  }
});
