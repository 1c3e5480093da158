/**
 * A made-up machine, as large as wanted, and a trace of it: for trying what no recording is large enough for.
 *
 *     machine.json    snapshots as docs/replay.md takes them: in front of the trace, after each third of it, and behind it
 *     trace.txt       what its tracefs would print: objects come and go in all of its caches, on all of its CPUs, from so many functions
 *
 * Every alloc that finds its CPU without a slab of its cache takes one, with an event of its page in front; frees go back to nobody: a new
 * object is always at a new address. Some frees are of objects from before the trace. All that is put into the files is counted: `live`
 * is what each cache has at the end, whoever replays it. The same numbers give the same files.
 *
 * A test makes a small one (cli/giant.test.ts), `npm run giant` a large one (tools/giant.mjs).
 */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../base/index.js';

/** How large a machine is made. */
export interface GiantOptions {
  readonly folder: string;
  /** Objects in all caches before the trace. */
  readonly objects: number;
  readonly caches: number;
  readonly cpus: number;
  /** Nodes of memory, each with a zone of its own. */
  readonly nodes: number;
  /** Bytes of RAM. */
  readonly ram: number;
  /** Functions that allocate; each frees with a function of its own too. */
  readonly sites: number;
  readonly events: number;
}

/** What was made. */
export interface Giant {
  readonly trace: string;
  readonly snapshots: string;
  readonly events: number;
  readonly allocs: number;
  readonly frees: number;
  /** Frees of objects from before. */
  readonly ofBefore: number;
  /** By name of a cache: live objects and slabs before the trace, and behind it. */
  readonly caches: ReadonlyMap<string, { readonly before: GiantCounts; readonly after: GiantCounts }>;
}

export interface GiantCounts {
  readonly live: number;
  readonly slabs: number;
}

interface MadeCache {
  readonly name: string;
  readonly size: number;
  readonly order: number;
  readonly perSlab: number;
  readonly before: GiantCounts;
  live: number;
  slabs: number;
}

const PAGE = 4096;
/** What a machine that has been up for a month is full of: bytes of an object, order of its slabs, share of all objects. */
const LARGE = [
  ['dentry', 192, 0, 0.24],
  ['buffer_head', 104, 0, 0.2],
  ['ext4_inode_cache', 1184, 3, 0.16],
  ['radix_tree_node', 584, 2, 0.1],
] as const;
const KMALLOC = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096];

function makeCaches({ objects, caches }: GiantOptions): MadeCache[] {
  const rest = caches - LARGE.length;
  const share = (1 - LARGE.reduce((sum, [, , , part]) => sum + part, 0)) / rest;
  const small = Array.from({ length: rest }, (_, i) => {
    const bytes = KMALLOC[i];
    if (bytes !== undefined)
      return [
        `kmalloc-${bytes < 1024 ? bytes : `${bytes / 1024}k`}`,
        bytes,
        bytes > 512 ? 3 : 0,
        share,
      ] as const;
    return [`made_cache_${i}`, 64 + 8 * (i % 120), 1 + (i % 3), share] as const;
  });
  return [...LARGE, ...small].map(([name, size, order, part]) => {
    const perSlab = Math.floor((PAGE * 2 ** order) / size);
    const live = Math.max(Math.floor(objects * part), 1);
    // A tenth of the slabs has free objects.
    const slabs = Math.ceil((live * 1.02) / perSlab);
    return { name, size, order, perSlab, before: { live, slabs }, live, slabs };
  });
}

// ---- snapshots -------------------------------------------------------------------------------------------------------------

function slabinfo(caches: readonly MadeCache[]): string {
  const lines = caches.toReversed().map(({ name, size, order, perSlab, live, slabs }) => {
    const counts = `${live} ${slabs * perSlab} ${size} ${perSlab} ${2 ** order}`;
    return `${name.padEnd(24)} ${counts} : tunables 0 0 0 : slabdata ${slabs} ${slabs} 0`;
  });
  const head =
    '# name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>' +
    ' : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>';
  return ['slabinfo - version: 2.1', head, ...lines, ''].join('\n');
}

/** Zones as x86-64 has them: DMA and DMA32 on the first node, Normal on all. */
function zoneinfo({ nodes, ram, cpus }: GiantOptions, taken: number): string {
  const pages = ram / PAGE;
  const perNode = Math.floor((pages - (1 << 20)) / nodes);
  const zones = [
    { node: 0, name: 'DMA', start: 1, spanned: 4095, present: 3998, managed: 3840, free: 3840 },
    {
      node: 0,
      name: 'DMA32',
      start: 4096,
      spanned: 1_044_480,
      present: 782_304,
      managed: 762_490,
      free: 760_000,
    },
    ...Array.from({ length: nodes }, (_, node) => ({
      node,
      name: 'Normal',
      start: (1 << 20) + node * perNode,
      spanned: perNode,
      present: perNode,
      managed: Math.floor(perNode * 0.98),
      free: Math.floor(perNode * 0.98 - taken / nodes),
    })),
  ];
  return zones
    .map(({ node, name, start, spanned, present, managed, free }) => {
      const pagesets = Array.from(
        { length: cpus },
        (_, cpu) =>
          `    cpu: ${cpu}\n              count: 0\n              high:  1992\n              batch: 63\n`,
      );
      return [
        `Node ${node}, zone ${name.padStart(8)}`,
        `  pages free     ${free}`,
        `        spanned  ${spanned}`,
        `        present  ${present}`,
        `        managed  ${managed}`,
        `  pagesets\n${pagesets.join('')}  vm stats threshold: 125`,
        '  node_unreclaimable:  0',
        `  start_pfn:           ${start}`,
        '',
      ].join('\n');
    })
    .join('');
}

function snapshot(name: string, at: number, caches: readonly MadeCache[], options: GiantOptions): unknown {
  const taken = caches.reduce((sum, { slabs, order }) => sum + slabs * 2 ** order, 0);
  const directories = caches.map(({ name: cache, size, order, perSlab, live, slabs }) => [
    cache,
    {
      object_size: size,
      slab_size: size,
      objs_per_slab: perSlab,
      order,
      align: 8,
      aliases: 0,
      objects: slabs * perSlab,
      total_objects: slabs * perSlab,
      slabs,
      partial: Math.ceil((slabs * perSlab - live) / Math.max(perSlab / 2, 1)),
      objects_partial: Math.floor((slabs * perSlab - live) / 2),
      cpu_slabs: 0,
      slabs_cpu_partial: '0(0)',
      cpu_partial: 30,
      min_partial: 5,
      cache_dma: 0,
      reclaim_account: 0,
      hwcache_align: 0,
      destroy_by_rcu: 0,
      ctor: '',
      usersize: 0,
    },
  ]);
  return {
    name,
    monoBegin: at,
    monoEnd: at + TICK_SECONDS / 4,
    slabinfo: slabinfo(caches),
    zoneinfo: zoneinfo(options, taken),
    caches: Object.fromEntries(directories),
    aliases: {},
  };
}

// ---- the trace -------------------------------------------------------------------------------------------------------------

/** Bytes of text that are written at once. */
const PIECE = 1 << 20;
const LINEAR_MAP = 0xffff_8880n << 32n;
/** Objects of the trace lie behind those of before; both kinds are told from each other by their page frames. */
const FIRST_PFN = 1 << 22;
const BEFORE_PFN = 1 << 21;
const SLAB_GFP = 'GFP_KERNEL|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP';
const FREES = 0.45;
const OF_BEFORE = 0.05;
const TASKS = 20_000;

/** When each event comes. */
const TICK_SECONDS = 1e-5;
const secondsAt = (event: number) => 100 + event * TICK_SECONDS;

const pointer = (address: number) => `0x${(LINEAR_MAP + BigInt(address)).toString(16)}`;

/** Live objects of the trace, any of which can go: what is needed of each in three arrays. */
interface Live {
  readonly address: Float64Array;
  readonly site: Uint32Array;
  count: number;
}

/** Where a CPU's next object of a cache lies, and how many its slab has left. */
interface Open {
  next: number;
  left: number;
}

function writeTrace(
  path: string,
  caches: readonly MadeCache[],
  options: GiantOptions,
  onThird: (seconds: number, third: number) => void,
): Pick<Giant, 'events' | 'allocs' | 'frees' | 'ofBefore'> {
  const { cpus, sites, events } = options;
  const random = new Random(13);
  const file = openSync(path, 'w');
  const live: Live = { address: new Float64Array(events), site: new Uint32Array(events), count: 0 };
  const open = new Map<number, Open>();
  let nextPfn = FIRST_PFN;
  let nextBefore = BEFORE_PFN * PAGE;
  const done = { allocs: 0, frees: 0, ofBefore: 0 };
  let text = '# tracer: nop\n#\n';
  let written = 0;
  let task = 0;
  const print = (cpu: number, event: string) => {
    const time = secondsAt(written).toFixed(6);
    text += `           task${task}-${task + 100} [${String(cpu).padStart(3, '0')}] d....   ${time}: ${event}\n`;
    written++;
    if (text.length < PIECE) return;
    writeSync(file, text);
    text = '';
  };
  const place = (cpu: number, cache: MadeCache, index: number): number => {
    const key = cpu * caches.length + index;
    let slab = open.get(key);
    if (slab === undefined || slab.left === 0) {
      const pfn = nextPfn;
      nextPfn += 8;
      print(
        cpu,
        `mm_page_alloc: page=0x${pfn.toString(16)} pfn=0x${pfn.toString(16)} order=${cache.order} migratetype=0 gfp_flags=${SLAB_GFP}`,
      );
      slab = { next: pfn * PAGE, left: cache.perSlab };
      open.set(key, slab);
      cache.slabs++;
    }
    const address = slab.next;
    slab.next += cache.size;
    slab.left--;
    return address;
  };
  const free = (cpu: number, address: number, site: number) => {
    const cache = caches[site % caches.length]!;
    cache.live--;
    done.frees++;
    const isKmalloc = cache.name.startsWith('kmalloc-');
    print(
      cpu,
      isKmalloc
        ? `kfree: call_site=put_${site}+0x12 ptr=${pointer(address)}`
        : `kmem_cache_free: call_site=put_${site}+0x33 ptr=${pointer(address)} name=${cache.name}`,
    );
  };
  let third = 1;
  while (written < events) {
    if (third < 3 && written >= (events * third) / 3) onThird(secondsAt(written) - TICK_SECONDS / 2, third++);
    const cpu = random.below(cpus);
    task = (task + 1) % TASKS;
    const dice = random.below(1000) / 1000;
    if (dice < OF_BEFORE) {
      // Of a cache that has so many, by its name: who frees it says no more.
      const site = random.below(LARGE.length);
      free(cpu, nextBefore, site);
      nextBefore += 8 * PAGE;
      done.ofBefore++;
    } else if (dice < FREES && live.count > 0) {
      const at = random.below(live.count);
      free(cpu, live.address[at]!, live.site[at]!);
      live.count--;
      live.address[at] = live.address[live.count]!;
      live.site[at] = live.site[live.count]!;
    } else {
      // Each once, then any.
      const site = done.allocs < sites ? done.allocs : random.below(sites);
      const index = site % caches.length;
      const cache = caches[index]!;
      const address = place(cpu, cache, index);
      const sizes = `bytes_req=${cache.size} bytes_alloc=${cache.size}`;
      const kind = cache.name.startsWith('kmalloc-') ? 'kmalloc' : 'kmem_cache_alloc';
      print(
        cpu,
        `${kind}: call_site=get_${site}+0x1c ptr=${pointer(address)} ${sizes} gfp_flags=GFP_KERNEL node=-1 accounted=false`,
      );
      cache.live++;
      live.address[live.count] = address;
      live.site[live.count++] = site;
      done.allocs++;
    }
  }
  writeSync(file, text);
  closeSync(file);
  return { events: written, ...done };
}

/** Writes both files of a made-up machine. */
export function makeGiant(options: GiantOptions): Giant {
  const caches = makeCaches(options);
  const trace = join(options.folder, 'trace.txt');
  const snapshots = join(options.folder, 'machine.json');
  const before = snapshot('before', 50, caches, options);
  const within: unknown[] = [];
  const counts = writeTrace(trace, caches, options, (seconds, third) =>
    within.push(snapshot(`third-${third}`, seconds, caches, options)),
  );
  const after = snapshot('after', secondsAt(options.events) + 1, caches, options);
  const meta = {
    kernel: 'Linux version 6.1.90',
    allocator: 'SLUB',
    cmdline: 'console=ttyS0 no_hash_pointers',
  };
  writeFileSync(snapshots, JSON.stringify({ meta, snapshots: [before, ...within, after] }));
  return {
    trace,
    snapshots,
    ...counts,
    caches: new Map(
      caches.map(({ name, before: first, live, slabs }) => [name, { before: first, after: { live, slabs } }]),
    ),
  };
}
