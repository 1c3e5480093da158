/**
 * A machine that is larger than tests usually are, in a process with little stack and little heap: what grows with the machine must lie in
 * typed arrays, and nothing may be spread or recursed over. `npm run giant` does the same with a machine of 50 million objects.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeGiant } from '../node/giant.case.test.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'slablab-giant-'));
after(() => rmSync(folder, { recursive: true }));

const giant = makeGiant({
  folder,
  objects: 220_000,
  caches: 20,
  cpus: 1024,
  nodes: 8,
  ram: 2 ** 41,
  sites: 400,
  events: 6_000,
});

/** Stack in KiB, where 984 are usual: 40,000 arguments do not fit, and the largest cache has more objects. Heap in MiB, where 4096 are. */
const LIMITS = ['--stack-size=300', '--max-old-space-size=160'];

function slablab(...args: string[]): string {
  const env = { ...process.env, COLUMNS: '200', NO_COLOR: '1' };
  const options = { encoding: 'utf8', env, maxBuffer: 2 ** 28 } as const;
  const { stdout, stderr, status } = spawnSync(process.execPath, [...LIMITS, MAIN, ...args], options);
  // 1 is what `verify` says of a cache that lies further off than it may.
  assert.ok(
    status === 0 || (status === 1 && args[0] === 'verify'),
    `${args.join(' ')}: ${status}, ${stderr}`,
  );
  return stdout;
}

interface ReplayJson {
  readonly trace: { readonly cpus: number; readonly events: number };
  readonly results: readonly {
    readonly machine: { readonly cpus: number; readonly memoryBytes: number; readonly source: string };
    readonly counts: Readonly<Record<string, number>>;
    readonly caches: readonly CacheJson[];
  }[];
}

interface CacheJson {
  readonly name: string;
  readonly live: number;
  readonly slabs: number;
  readonly objectsPerSlab: number;
  readonly allocs: number;
}

const WITH_SNAPSHOTS = [giant.trace, '--snapshots', giant.snapshots];
const SETS = [
  'dentry.size=200',
  'slub_max_order=0',
  'allocator=slab',
  'cpus=2',
  'page_size=64K',
  'sheaves=32',
];
/** As recorded, and with a what-if of every kind. */
const replayed = JSON.parse(
  slablab('replay', ...WITH_SNAPSHOTS, '--json', ...SETS.flatMap((set) => ['--set', set])),
) as ReplayJson;

test('a replay has every object and every slab that the machine had', () => {
  const { trace, results } = replayed;
  assert.deepEqual([trace.events, trace.cpus], [giant.events, 1024]);
  const { machine, counts, caches } = results[0]!;
  assert.equal(machine.cpus, 1024);
  // Eight nodes' zones are one; of 2 TiB there is half.
  const { memoryBytes } = machine;
  assert.ok(memoryBytes > 0.99 * 2 ** 40 && memoryBytes <= 2 ** 40, `${memoryBytes}`);
  assert.match(machine.source, /9\d\d\.\d GiB of its memory is left out, for a replay accounts for 1 TiB$/);
  assert.deepEqual(
    [counts.allocs, counts.frees, counts.fromBefore, counts.failed, counts.unknown],
    [giant.allocs, giant.frees - giant.ofBefore, giant.ofBefore, 0, 0],
  );
  assert.equal(caches.length, giant.caches.size);
  for (const { name, live, slabs, objectsPerSlab } of caches) {
    const { after: recorded } = giant.caches.get(name)!;
    assert.ok(
      Math.abs(slabs - recorded.slabs) <= 0.02 * recorded.slabs + 2,
      `${name}: ${slabs}, ${recorded.slabs}`,
    );
    // What its snapshots have free on the node may be in use here.
    assert.ok(
      live >= recorded.live && live <= recorded.slabs * objectsPerSlab,
      `${name}: ${live}, ${recorded.live}`,
    );
  }
});

test('what-ifs of every kind are replayed', () => {
  const { results } = replayed;
  assert.equal(results.length, SETS.length + 1);
  for (const { counts } of results) assert.deepEqual([counts.allocs, counts.failed], [giant.allocs, 0]);
});

test('the screen, the table and the report are written', () => {
  const html = join(folder, 'report.html');
  assert.match(slablab('replay', ...WITH_SNAPSHOTS, '--wide', '--html', html), /ext4_inode_cache/);
  assert.match(readFileSync(html, 'utf8'), /<\/html>\s*$/);
  const rows = slablab('replay', ...WITH_SNAPSHOTS, '--csv')
    .trim()
    .split('\n');
  assert.ok(rows.length > giant.caches.size, `${rows.length} lines`);
});

test('a trace is converted, swept and held against its snapshots', () => {
  const slt = join(folder, 'trace.slt');
  slablab('convert', giant.trace, '-o', slt);
  assert.ok(statSync(slt).size > 0);
  const csv = join(folder, 'rows.csv');
  slablab('sweep', slt, '--snapshots', giant.snapshots, '--set', 'slub_max_order=0,3', '-o', csv);
  assert.equal(readFileSync(csv, 'utf8').trim().split('\n').length, 3);
  assert.match(slablab('verify', slt, '--snapshots', giant.snapshots), /20 passed, 0 failed/);
});
