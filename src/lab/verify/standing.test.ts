/** The caches of a machine that has just booted, with either allocator, and kmalloc's among them, field by field as they were recorded. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parseSize } from '../../base/index.js';
import { Machine, type MachineOptions } from '../../slab/index.js';
import { bootOptions } from '../boot/index.js';
import { type RecordedCache, RecordedKernel, type RecordingHead } from './recording.js';

interface Recording extends RecordingHead {
  readonly caches_already_there: readonly RecordedCache[];
  readonly kmalloc_caches: readonly RecordedCache[];
}

function recording(name: string): Recording {
  const file = new URL(`../../../truth/${name}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as Recording;
}

/** The recorded machine, as it was booted. */
function booted(recorded: Recording, options: MachineOptions = {}): Machine {
  const { profile } = new RecordedKernel(recorded);
  const boot = Object.values(recorded.boots)[0]!;
  const machine = Machine.create({
    ...bootOptions(boot.cmdline, profile),
    kernel: profile,
    memory: parseSize(boot.mem),
    cpus: boot.smp,
    ledger: { slabs: 4096, caches: 256 },
    ...options,
  });
  machine.validate();
  return machine;
}

/** The fields of a recording, of each cache, newest first as the recorder lists them. */
function newestFirst(recorded: Recording, machine: Machine): Record<string, unknown>[] {
  const kernel = new RecordedKernel(recorded);
  return (
    machine
      .caches()
      .reverse()
      // SLAB's have no directories in /sys/kernel/slab.
      .map(({ info, sysfsId }) => ({
        ...kernel.fields(info),
        ...(info.slab === undefined && { id: sysfsId }),
      }))
  );
}

test('the kmalloc caches are the recorded ones, in the recorded order', () => {
  const recorded = recording('kmalloc-slub');
  const machine = booted(recorded);
  machine.kmalloc(1);
  assert.deepEqual(newestFirst(recorded, machine), recorded.kmalloc_caches);
});

for (const [name, count] of [
  ['create-slub-default-public', 138],
  ['create-slab-default-public', 132],
  ['7.3/create-slub-default-public', 140],
] as const) {
  test(`${name}: a booted machine has the caches of the recorded one, in their order and to the last number`, () => {
    const recorded = recording(name);
    assert.deepEqual(
      newestFirst(recorded, booted(recorded, { standing: true })),
      recorded.caches_already_there,
    );
    assert.equal(recorded.caches_already_there.length, count);
  });
}

test('SLAB: caches that were there before the other CPUs do not count all of them', () => {
  const caches = recording('create-slab-default-public').caches_already_there;
  const early = caches.filter(
    (each) => each.name === 'kmalloc-64' && 'free_limit' in each && each.free_limit === 304,
  );
  assert.equal(early.length, 1);
});

test('SLAB booted with slab_nomerge: the same caches, but that nobody shares them', () => {
  const recorded = recording('create-slab-nomerge-public');
  const ours = newestFirst(recorded, booted(recorded, { standing: true }));
  const names = new Set(ours.map(({ name }) => name));
  // Names that would have shared one of them are caches of their own there.
  assert.deepEqual(
    ours,
    recorded.caches_already_there.filter(({ name }) => names.has(name)),
  );
});
