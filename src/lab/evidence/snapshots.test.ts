import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { InputError } from '../../base/index.js';
import { planFromSnapshots } from './plan.js';
import { readSnapshots } from './snapshots.js';

const TRACES = new URL('../../../truth/traces/', import.meta.url);
const recorded = (name: string) =>
  gunzipSync(readFileSync(new URL(`${name}-public.snapshots.json.gz`, TRACES))).toString();

test('recorded snapshots: times, zones, CPUs, caches and the names that share them', () => {
  const { kernel, allocator, all } = readSnapshots(recorded('tar'), 'tar.json');
  assert.deepEqual([kernel, allocator], ['6.1.192', 'slub']);
  assert.deepEqual(
    all.map(({ name }) => name),
    ['00-start', '00-before-trace', 'r1', 'r2', '99-after-trace'],
  );
  const full = all[1]!;
  assert.deepEqual([full.begin, full.end, full.cpus], [4709974000, 5157045000, 2]);
  assert.deepEqual(
    full.zones.map(({ name, managed }) => [name, managed]),
    [
      ['DMA', 3840],
      ['DMA32', 762490],
      ['Normal', 758475],
    ],
  );
  assert.equal(full.caches.size, 139);
  assert.equal(full.aliases.get('eventpoll_epi'), ':A-0000128');
  assert.equal(full.caches.get('radix_tree_node')!.hasConstructor, true);
  assert.equal(readSnapshots(recorded('boot-find-slab'), 'slab.json').allocator, 'slab');
});

test('the recorded caches follow from the kernel’s rules, with both allocators', () => {
  for (const name of ['tar', 'boot-find', 'boot-find-slab']) {
    const snapshots = readSnapshots(recorded(name), name);
    const { caches, options } = planFromSnapshots(snapshots, 1);
    assert.deepEqual(
      caches.filter(({ derivable }) => !derivable).map((cache) => cache.name),
      [],
    );
    assert.ok(caches.length > 120, `${caches.length} caches`);
    const last = snapshots.all.findLast((snapshot) => snapshot.caches.size > 0) ?? snapshots.all.at(-1)!;
    for (const row of last.slabinfo) {
      const { layout } = caches.find(({ names }) => names.includes(row.name))!;
      assert.deepEqual(
        [layout.size, layout.oo.objects, 2 ** layout.oo.order],
        [row.objSize, row.objPerSlab, row.pagesPerSlab],
      );
    }
    assert.equal(options.cpus, name === 'tar' ? 2 : 1);
  }
});

test('what is no such file is refused with what was expected', () => {
  const slabinfo =
    'slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize>\n' +
    'dentry 1 21 192 21 1 : tunables 0 0 0 : slabdata 1 1 0\n';
  const good = { name: 'a', monoBegin: '1.5', slabinfo };
  const wrong: readonly (readonly [json: unknown, message: RegExp])[] = [
    [[], /expected an object with "snapshots"/],
    [{ snapshots: [] }, /a list of at least one/],
    [{ snapshots: [7] }, /snapshot 0 as an object/],
    [{ snapshots: [{ ...good, monoBegin: 'soon' }] }, /"monoBegin" of snapshot 'a' in seconds.*"soon"/],
    [{ snapshots: [{ ...good, monoEnd: 1 }] }, /"monoEnd" of snapshot 'a' behind/],
    [{ snapshots: [{ ...good, slabinfo: undefined }] }, /"slabinfo" of snapshot 'a'/],
    [
      { snapshots: [{ ...good, slabinfo: 'nonsense' }] },
      /snapshot 'a', slabinfo:1: expected 'slabinfo - version/,
    ],
    [{ snapshots: [{ ...good, caches: { dentry: { order: -1 } } }] }, /"object_size" of cache 'dentry'/],
    [{ snapshots: [{ ...good, aliases: { pid: 3 } }] }, /alias 'pid'/],
    [{ meta: { allocator: 'SLOB' }, snapshots: [good] }, /"allocator" SLUB or SLAB/],
  ];
  for (const [json, message] of wrong) {
    assert.throws(
      () => readSnapshots(JSON.stringify(json), 'file.json'),
      (error) => {
        assert.ok(error instanceof InputError);
        assert.match(error.message, message);
        assert.match(error.message, /^file\.json/);
        return true;
      },
    );
  }
  assert.equal(readSnapshots(JSON.stringify({ snapshots: [good] }), 'f').all[0]!.begin, 1.5e9);
  assert.throws(() => readSnapshots('{', 'file.json'), /not JSON/);
});
