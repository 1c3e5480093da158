import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { runIommu } from '../../lab/index.js';
import type { CallContext, Progress } from './call.js';
import { type IommuAsk, iommuHandlers, loadOf } from './iommu-calls.js';

const told: Progress[] = [];
const context: CallContext = { tell: (progress) => told.push(progress), transfer: [] };
const script = (text: string): IommuAsk => ({ load: { kind: 'script', text }, options: {} });

test('a run says what the command line says, but for what is freed', async () => {
  const ask: IommuAsk = { load: { kind: 'generated', seed: 5, ops: 300 }, options: { freeEmpty: true } };
  const { result, words } = await iommuHandlers().iommu(ask, context);
  const { freed, ...wanted } = runIommu(await loadOf(ask.load), ask.options);
  assert.notEqual(freed, null);
  assert.deepEqual({ ...result, freed: undefined }, { ...wanted, freed: undefined });
  assert.equal(words.length, 4096);
  assert.equal([...words].filter((word) => (word & 3) === 1).length, result.tables.length);
});

test('what the load left can be walked, and its tables opened', async () => {
  const handlers = iommuHandlers();
  assert.throws(() => handlers.iommuWalk({ iova: 0 }, context), /run a load first/);
  await handlers.iommu(script('map 0x100000 0x40000000 64K\nmap 0x200000 0x50000000 1M'), context);
  const walk = await handlers.iommuWalk({ iova: 0x10_2034 }, context);
  assert.deepEqual([walk.length, walk[1]!.kind, walk[1]!.output], [2, 'large page', 0x4000_2034]);
  const table = (await handlers.iommuTable({ index: 1 }, context))!;
  assert.equal(table.length, 256);
  assert.deepEqual(
    table.slice(14, 18).map(({ kind }) => kind),
    ['large page', 'large page', 'fault', 'fault'],
  );
  assert.equal(await handlers.iommuTable({ index: 2 }, context), undefined);
  assert.throws(() => handlers.iommuWalk({ iova: 2 ** 32 }, context), /32 bits here/);
});

test('files are scripts or recorded workloads, packed or not', async () => {
  const lines = 'map 0x1000 0x40000000 4K\nunmap 0x1000 4K\n';
  const recorded = JSON.stringify({
    meta: { schema: 'v7s-workload-1' },
    runs: [{ ops: [['B', 4096, 4096, 2 ** 30, 0, 0]] }],
  });
  const steps = async (name: string, bytes: string | Uint8Array<ArrayBuffer>) => {
    const load = await loadOf({ kind: 'file', file: { name, blob: new Blob([bytes]) } });
    return load.steps.length;
  };
  assert.equal(await steps('a.iommu', lines), 2);
  assert.equal(await steps('a.json', recorded), 1);
  assert.equal(await steps('a.json.gz', new Uint8Array(gzipSync(recorded))), 1);
  await assert.rejects(steps('a.iommu', `${lines}map 0x1000`), /a\.iommu:3: expected a physical address/);
});

test('a long load tells how far it has come', async () => {
  told.length = 0;
  await iommuHandlers().iommu({ load: { kind: 'generated', seed: 1, ops: 6000 }, options: {} }, context);
  const shares = told.flatMap(({ share }) => share ?? []);
  assert.ok(shares.length > 0 && shares.every((share) => share > 0 && share <= 1));
});
