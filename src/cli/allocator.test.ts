/** `--allocator`: what the commands show of a machine with SLAB, and what they refuse. Run in this process. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CompareResult, LayoutReport } from '../lab/index.js';
import { parseSlabinfo } from '../text/index.js';
import { enterFolder, slablab, widest } from './command-line.case.test.js';

const folder = enterFolder('allocator');

const SCRIPT = join(folder, 'tables.slab');
writeFileSync(
  SCRIPT,
  `create tables 1024 align=1024 flags=CACHE_DMA32
alloc tables 300
free tables 250 order=fifo
kmalloc 100 40
`,
);

// ---- layout --------------------------------------------------------------------------------------------------------------

test('layout: where the list lies and why, colours, arrays, and a picture of it', async () => {
  const { code, out } = await slablab('layout --size 700 --allocator slab');
  assert.equal(code, 0);
  assert.match(out, /\nLinux 6\.1, SLAB · x86_64 · 4 CPUs · pages of 4 KiB · slab_max_order=1\n/);
  assert.match(out, /11 objects, 448 bytes \(5\.5 %\) left\s+over\s+for\s+7\s+colours/);
  assert.match(out, /A slab's list of free objects, 11 bytes, lies in the last free object/);
  assert.match(out, /\n {2}colour +7 +object 0 at byte 64, 128, 192, 256, …, 0 of its slab\n/);
  assert.match(out, /\n {2}shared +8 +batches: an array of 216 objects for all CPUs\n/);
  assert.match(out, /\n {2}flags +CFLGS_OBJFREELIST_SLAB\n/);
  assert.match(out, /│░│ +0 +│ +1 +│.*│ 10 +│░+│\n/, 'the first slab begins at a colour');
  for (const slubs of ['inuse', 'cpu_partial', 'unique id', 'slub_'])
    assert.ok(!out.includes(`  ${slubs}`), `${slubs} is SLUB's`);
  const small = (await slablab('layout --size 60 --allocator slab --nomerge')).out;
  assert.match(small, /Not in a free\nobject: 64 indices do not fit into the 60 bytes asked for\./);
  assert.match((await slablab('layout --size 256 --ctor --allocator slab')).out, /an object of\nkmalloc-32/);
});

test('layout of both: a column each, and a line where only one has something', async () => {
  const { code, out } = await slablab('layout --size 700 --allocator slub,slab');
  assert.equal(code, 0);
  assert.match(out, /\n +SLUB +SLAB\n/);
  assert.match(out, /\n {2}order +2 +1\n/);
  assert.match(out, /\n {2}align +8 +=\n/);
  assert.match(out, /\n {2}cpu_partial +52 +–\n/);
  assert.match(out, /\n {2}batchcount +– +27\n/);
  assert.match(out, /Of what both have, they differ in order, waste, objects and flags\.\n$/);
  const { kernels } = JSON.parse((await slablab('layout --size 700 --allocator slub,slab --json')).out);
  assert.deepEqual(
    (kernels as LayoutReport[]).map(({ machine, alone }) => [
      machine.allocator,
      alone!.allocator,
      alone!.objects,
    ]),
    [
      ['slub', 'slub', 23],
      ['slab', 'slab', 11],
    ],
  );
  const refused = await slablab('layout --size 5M --allocator slub,slab');
  assert.equal(refused.code, 1);
  assert.match(
    refused.out,
    /SLUB: The kernel refuses: [^:]*error -22\nSLAB: The kernel refuses: [^:]*error -7\n$/,
  );
});

test('layout merges with SLAB only where the alignment allows it', async () => {
  assert.match((await slablab('layout --size 1024 --align 1024')).out, /it joins biovec-64/);
  assert.match((await slablab('layout --size 1024 --align 1024 --allocator slab')).out, /A cache of its own/);
});

// ---- info ----------------------------------------------------------------------------------------------------------------

test('info is /proc/slabinfo with SLAB: the caches that have slabs, with their arrays', async () => {
  const { code, out } = await slablab(`info ${SCRIPT} --allocator slab`);
  assert.equal(code, 0);
  assert.match(out, /\nx86_64 · Linux 6\.1, SLAB · 4 CPUs\n/);
  assert.match(out, /\ntables +300 +300 +1024 +4 +54\/27\/8 +75 +75 +216\n/);
  assert.match(out, /\nkmalloc-128 +64 +64 +128 +32 +120\/60\/8 +2 +2 +0\n/);
  assert.doesNotMatch(out, /\ndentry/);
  assert.match((await slablab(`info ${SCRIPT} --allocator slab --empty`)).out, /\ndentry +0 +0 +192 /);
  const largest = (await slablab(`info ${SCRIPT} --allocator slab --sort size`)).out;
  assert.ok(largest.indexOf('\ntables') < largest.indexOf('\nkmalloc-128'));
});

test('a script tunes a cache, and lets time pass for the reaper', async () => {
  const tuned = join(folder, 'tuned.slab');
  writeFileSync(
    tuned,
    `create tables 700\nalloc tables 300\nfree tables 300\ntune tables 30 10 2\nwait 2m\n`,
  );
  const { slabinfo, machine } = JSON.parse((await slablab(`info ${tuned} --allocator slab --json`)).out);
  assert.equal(machine.allocator, 'slab');
  const row = slabinfo.find((each: { name: string }) => each.name === 'tables');
  assert.deepEqual([row.limit, row.batchCount, row.sharedFactor, row.numSlabs], [30, 10, 2, 0]);
  const slub = await slablab(`info ${tuned}`);
  assert.deepEqual(
    [slub.code, slub.err.split('\n')[0]],
    [3, `slablab: ${tuned}:4: tables: SLUB has no tunables: -EIO`],
  );
  for (const [line, message] of [
    ['tune tables 10 5', 'expected how many batches are shared, but the line ends'],
    ['tune tables 0 5 1', "expected a count from 1 on, but there stands '0'"],
    ['tune tables 5 10 1', 'tables: a limit from 1, a batchcount from 1 to the limit'],
    ['wait 5', "expected a time such as 500ms, 10s or 2m, but there stands '5'"],
  ] as const) {
    writeFileSync(tuned, `create tables 700\n${line}\n`);
    const { code, err } = await slablab(`info ${tuned} --allocator slab`);
    assert.equal(code, 3);
    assert.ok(err.startsWith(`slablab: ${tuned}:2: ${message}`), err);
  }
});

test("--proc prints the kernel's text, of either allocator", async () => {
  for (const [allocator, limit] of [
    ['slub', 0],
    ['slab', 120],
  ] as const) {
    const { out } = await slablab(`info ${SCRIPT} --proc --allocator ${allocator}`);
    const dentry = parseSlabinfo(out, 'out').find(({ name }) => name === 'dentry')!;
    assert.equal(dentry.limit, limit);
  }
});

test('nothing is wider than the terminal', async () => {
  for (const width of [80, 120]) {
    for (const words of [
      'layout --size 700 --allocator slab',
      'layout --size 8 --allocator slab --flags NOLEAKTRACE',
      'layout --size 1024 --allocator slub,slab --flags CACHE_DMA32,HWCACHE_ALIGN,PANIC,ACCOUNT',
      `info ${SCRIPT} --allocator slab`,
      `info ${SCRIPT} --allocator slab --empty`,
      'compare steady --live 5 --strategies slub-dma32,slab-dma32',
    ]) {
      const { out, code } = await slablab(words, { columns: width });
      assert.equal(code, 0, words);
      // What is to be copied is not broken, so that a path may stand out.
      const text = out
        .split('\n')
        .filter((line) => !line.includes(folder))
        .join('\n');
      assert.ok(widest(text) <= width, `${words}: ${widest(text)} of ${width}\n${out}`);
    }
  }
});

// ---- compare -------------------------------------------------------------------------------------------------------------

test('compare puts SLAB beside SLUB, and says what its arrays keep', async () => {
  const { out } = await slablab('compare steady --live 30 --strategies slub-dma32,slab-dma32 --json');
  const { strategies, words } = JSON.parse(out) as CompareResult;
  const [slab, slub] = ['slab-dma32', 'slub-dma32'].map((id) => strategies.find((s) => s.id === id)!);
  assert.deepEqual([slab!.cache!.order, slab!.cache!.objectsPerSlab, slab!.reaped!.bytes], [0, 4, 0]);
  assert.deepEqual([slub!.cache!.order, slub!.reaped], [2, null]);
  assert.ok(slab!.drainedBytes > 0);
  assert.ok(
    words.some((line) =>
      /SLAB\) still holds .* its reaper gives all of it back within \d+ seconds/.test(line),
    ),
  );
});

test('a kernel without SLAB is compared without it', async () => {
  const { out } = await slablab('compare steady --live 5 --kernel 6.12 --json');
  const ids = (JSON.parse(out) as CompareResult).strategies.map(({ id }) => id);
  assert.ok(ids.includes('slub-dma32') && !ids.includes('slab-dma32'));
});

// ---- refusals ------------------------------------------------------------------------------------------------------------

test('what SLAB does not have is refused by name', async () => {
  const removed =
    'Linux 6.12 has no SLAB: it was removed in 6.8 ("mm/slab: remove mm/slab.c and slab_def.h")';
  const dir = join(folder, 'tree');
  for (const [line, message] of [
    ['layout --size 64 --allocator slab --kernel 6.12', removed],
    ['layout --size 64 --allocator slub,slab --kernel 6.1,6.12', removed],
    ['info --allocator slab --kernel 6.12', removed],
    ['compare steady --kernel 6.12 --strategies slab-dma32', removed],
    ['layout --size 64 --allocator slob', "no allocator is called 'slob'; did you mean 'slub' or 'slab'?"],
    ['layout --size 64 --allocator slab --debug F', '--debug is for SLUB; SLAB takes --slab-max-order'],
    ['layout --size 64 --allocator slab --slub-max-order 1', '--slub-max-order is for SLUB'],
    ['layout --size 64 --slab-max-order 1', '--slab-max-order is for SLAB'],
    [
      'layout --size 64 --allocator slab --slab-max-order 11',
      'slab_max_order is a whole number from 0 to 10',
    ],
    ['info --allocator slab --debug F', '--debug is slub_debug'],
    ['info --allocator slab --statistics', '--statistics is CONFIG_SLUB_STATS'],
    [
      'info --allocator slab --report dentry',
      '--report is of the slabinfo tool, which reads /sys/kernel/slab',
    ],
    ['info --allocator slab --totals', '--totals is of the slabinfo tool'],
    ['info --proc --aliases', '--aliases is of the slabinfo tool, which reads /sys/kernel/slab: --proc is'],
    [
      `info ${SCRIPT} --allocator slab --sort partial`,
      '--sort partial needs numbers that /proc/slabinfo does not have',
    ],
    [`sysfs ${dir} --allocator slab`, "with SLAB there is no /sys/kernel/slab, which is SLUB's alone"],
  ] as const) {
    const { code, out, err } = await slablab(line);
    assert.ok(err.startsWith(`slablab: ${message}`), `${line}: ${err}`);
    assert.deepEqual([code, out], [2, ''], line);
  }
  assert.ok(!existsSync(dir), 'nothing was written');
});
