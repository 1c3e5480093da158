/** What all commands have in common, `compare`, `layout` and `verify`: run in this process, and in one of its own where that matters. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { CompareResult, LayoutReport } from '../lab/index.js';
import { type Ended, enterFolder, MAIN, slablab, spawnSlablab, widest } from './command-line.case.test.js';

const TRUTH = 'truth';
const folder = enterFolder('cli');

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return name;
}

/** The text of a recording. */
function recorded(name: string): string {
  return gunzipSync(readFileSync(join(TRUTH, `${name}.json.gz`))).toString();
}

/** A workload of so many tables, each given back after so many others. */
function workload(tables: number, after = 0): string {
  const ops = Array.from({ length: tables }, (_, id) => [
    'B',
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    [['a', id], ...(id >= after ? [['f', id - after]] : [])],
  ]);
  return JSON.stringify({ meta: { schema: 'v7s-workload-1' }, runs: [{ ops }] }, null, 1);
}

const FEW = '--strategies slub-dma32,pages,slub';
/** A workload of few events, for what is done many times. */
const MANY = file('many.json', workload(3000, 40));

test('without a command there is help, which begins with examples', async () => {
  const bare = await slablab('');
  assert.deepEqual(
    spawnSlablab(''),
    { ...bare, bytes: Buffer.from(bare.out) },
    'also in a process of its own',
  );
  assert.equal(bare.code, 0);
  assert.equal(bare.err, '');
  assert.match(bare.out, /^Examples:\n {2}slablab compare /);
  assert.equal((await slablab('--help')).out, bare.out);
  assert.equal((await slablab('help')).out, bare.out);
  assert.match((await slablab('--version')).out, /^\d+\.\d+\.\d+\n$/);
  for (const command of ['compare', 'layout', 'verify']) {
    const help = await slablab(`${command} --help`);
    assert.equal(help.code, 0);
    assert.match(
      help.out,
      new RegExp(`^Examples:\n {2}slablab ${command}(.*\n)+?\nUsage: slablab ${command} `),
    );
    assert.ok(widest(help.out) <= 80, command);
    assert.equal((await slablab(`help ${command}`)).out, help.out);
  }
});

test('a word that nothing is called gets the nearest one, and exit code 2', async () => {
  for (const [words, message] of [
    ['comprae', "no command is called 'comprae'; did you mean 'compare'?"],
    ['help comprae', "no command is called 'comprae'; did you mean 'compare'?"],
    ['compare stedy', "no workload or file is called 'stedy'; did you mean 'steady'?"],
    ['compare --machien mt8173', 'slablab compare has no option --machien; did you mean --machine?'],
    ['compare --no-colour', 'slablab compare has no option --no-colour; did you mean --no-color?'],
    ['compare --machine mt8137', "no machine is called 'mt8137'; did you mean 'mt8173'?"],
    ['compare --kernel library', "no kernel is called 'library'"],
    ['compare --strategies slub,page', "no strategy is called 'page'; did you mean 'pages'"],
    ['compare --format tabel', "no format is called 'tabel'; did you mean 'table'?"],
    ['layout --size 8 --flags CACHE_DM32', "no slab flag is called 'CACHE_DM32'; did you mean"],
    ['layout --size 8 --machine x86', "no machine is called 'x86'; did you mean 'x86_64'?"],
    ['layout --size 8 --kernel 6.2', "no kernel is called '6.2'; did you mean"],
  ] as const) {
    const { code, out, err } = await slablab(words);
    assert.ok(err.startsWith(`slablab: ${message}`), `${words}: ${err}`);
    assert.deepEqual({ code, out }, { code: 2, out: '' }, words);
    assert.match(err, /^[^\n]+\n {2}see 'slablab.*--help'\n$/, 'a line and a hint');
  }
});

test('what cannot be meant is refused with exit code 2', async () => {
  for (const [words, message] of [
    ['layout', 'slablab layout needs --size <bytes>'],
    ['layout --size', '--size <bytes>: the value is missing'],
    ['layout --size x', "--size: 'x' is no size"],
    ['layout --size 0', 'new_cache: an object needs a size (Linux: divide error)'],
    ['layout --size 8 --align 3', 'new_cache: alignment 3 is no power of two'],
    ['layout --size 8 --debug X', 'slub_debug knows the letters'],
    ['layout --size 8 --slub-max-order 99', 'slub_max_order is a whole number from 0 to 10'],
    ['compare a b', "slablab compare takes one argument: 'b' is one too many"],
    ['compare steady --cpus many', "--cpus takes a whole number, not 'many'"],
    ['compare steady --cpus 0', 'a machine has 1 to'],
    ['compare steady --live 0', 'a steady workload has'],
    ['compare --live 5', "--live belongs to the workload 'steady'"],
    ['compare steady --points 0', 'a series has at least one point'],
    ['compare steady --memory 1', 'mt8173 takes 4 MiB'],
    ['compare steady --memory 4G --ram 1G-2G', '--ram says how much memory there is'],
    ['compare steady --ram 2G-1G', "RAM range '2G-1G' ends where it begins, or before"],
    ['compare steady --workload recorded', "which workload: 'steady' or"],
    ['compare steady --json --format csv', '--json is a format of its own'],
    ['compare steady --strategies ,', '--strategies takes words'],
  ] as const) {
    const { code, out, err } = await slablab(words);
    assert.ok(err.startsWith(`slablab: ${message}`), `${words}: ${err}`);
    assert.deepEqual({ code, out }, { code: 2, out: '' }, words);
    assert.equal(err.split('\n').length, 3, 'a line and a hint');
  }
});

test('a file that is not what it should be is exit code 3, with its line', async () => {
  const cut = gzipSync(workload(20)).subarray(0, 60);
  for (const [name, content, message] of [
    ['missing.json', undefined, 'missing.json: no such file'],
    [
      'broken.json',
      workload(3).replace('"ops"', 'ops'),
      'broken.json:7: not JSON: expected a name in "" or }, but',
    ],
    [
      'other.json',
      '{"meta": {"schema": "else"}}',
      'other.json:1: expected "meta": {"schema": "v7s-workload-1"}',
    ],
    ['cut.json.gz', cut, 'cut.json.gz: expected gzip data, but it ends in the middle, after 60 bytes'],
    ['empty.json', '', 'empty.json:1: not JSON: expected a value, but the file ends'],
    ['double.json', workload(2).replace('"f"', '"a"'), 'double.json:7: expected events in order'],
  ] as const) {
    if (content !== undefined) file(name, content);
    const { code, out, err } = await slablab(['compare', name]);
    assert.ok(err.startsWith(`slablab: ${message}`), `${name}: ${err}`);
    assert.deepEqual({ code, out }, { code: 3, out: '' }, name);
  }
  assert.equal((await slablab(['compare', folder])).code, 3);
  assert.deepEqual(spawnSlablab('compare missing.json').code, 3);
});

const WRITE_ONLY = '/proc/sys/vm/compact_memory';

test('what may not be read is exit code 4', {
  skip: !existsSync(WRITE_ONLY) && 'no such file here',
}, async () => {
  const { code, err } = await slablab(`compare ${WRITE_ONLY}`);
  assert.equal(code, 4);
  assert.match(err, /^slablab: \/proc\/sys\/vm\/compact_memory: no permission to read it\n/);
  assert.equal((await slablab(`verify ${WRITE_ONLY}`)).code, 4);
});

test('a stack trace is for who asks for it', async () => {
  assert.doesNotMatch((await slablab('compare missing.json')).err, /\n\s+at /);
  assert.match((await slablab('compare missing.json', { env: { SLABLAB_DEBUG: '1' } })).err, /\n\s+at /);
});

test('compare prints the question, the table, the curves, the words, and where to go on', async () => {
  const { code, out, err } = await slablab(`compare steady --live 20 ${FEW}`);
  assert.deepEqual({ code, err }, { code: 0, err: '' }, 'a strategy that fails is a result, no failure');
  assert.match(out, /^Where should 1 KiB IOMMU tables come from\?\n100,000 events: about 20 tables live/);
  assert.match(out, /mt8173: 4 GiB of RAM from 1 GiB, 1 GiB of it above 4 GiB · Linux 6\.1 · 4 CPUs\n/);
  assert.match(out, /\n {2}kmem cache, DMA32 \(SLUB\) .* 0 % +–\n/);
  assert.match(
    out,
    /\n✗ kmem cache, no flag \(SLUB\) .* 100 % +100 %\n {4}Page table does not fit in PTE: 0x0{7}10{8}\n/,
  );
  assert.match(out, /\n {2}asked for +[▁▂▃▄▅▆▇█↑]+\n {2}slub-dma32 +[▁▂▃▄▅▆▇█↑]+\n/);
  assert.match(out, /needs least/);
  assert.ok(out.endsWith(`\n  slablab compare steady --live 20 ${FEW} --wide\n`));
});

test('compare says how the recorded kernel did', async () => {
  const recording = JSON.parse(recorded('v7s-workload'));
  const [{ ops, slabSamples }] = recording.runs;
  // Its first 6000 operations, with the two samples among them.
  file('short.json', JSON.stringify({ ...recording, runs: [{ ops: ops.slice(0, 6000), slabSamples }] }));
  const { out } = await slablab('compare short.json --strategies slub-dma32');
  assert.match(
    out.replace(/\n {2}/g, ' '),
    /its slabs agree with the recorded kernel's at 2 samples: all in every counter/,
  );
});

test('--json is the result, and the table and CSV say the same', async () => {
  const result = JSON.parse(
    (await slablab(`compare ${MANY} ${FEW} --points 7 --json`)).out,
  ) as CompareResult & { schema: string; strategies: { seriesBytes: number[] }[] };
  assert.equal(result.schema, 'slablab/compare/2');
  assert.equal(result.strategies[0]!.seriesBytes.length, 7);
  const table = (await slablab(`compare ${MANY} ${FEW}`)).out.split('\n');
  const csv = (await slablab(`compare ${MANY} ${FEW} --format csv`)).out.trimEnd().split('\n');
  assert.equal(csv.length, 4);
  result.strategies.forEach((strategy, i) => {
    const { peakBytes, meanBytes, endBytes, drainedBytes, wastePeak } = strategy;
    const row = table.find((line) => line.slice(2).startsWith(`${strategy.name}  `))!;
    const numbers = row
      .slice(2 + strategy.name.length)
      .trim()
      .split(/ +/)
      .slice(0, 5);
    const kib = [peakBytes, meanBytes, endBytes, drainedBytes].map((bytes) =>
      String(Math.round(bytes / 1024)),
    );
    assert.deepEqual(numbers, [...kib, wastePeak.toFixed(2)]);
    assert.ok(csv[i + 1]!.includes(`,${peakBytes},${meanBytes},${endBytes},${drainedBytes},${wastePeak},`));
  });
  assert.match(
    (await slablab(`compare ${MANY} ${FEW} --format md`)).out,
    /^\| id +\| where from +\| peak KiB \|/,
  );
});

test('a workload comes from a file, packed or not, or from standard input', async () => {
  const text = workload(3);
  file('w.json', text);
  file('w.bin', gzipSync(text));
  const few = '--strategies pages --json';
  const events = ({ code, out, err }: Ended) => {
    assert.equal(code, 0, err);
    return (JSON.parse(out) as CompareResult).workload.events;
  };
  assert.equal(events(await slablab(`compare w.json ${few}`)), 6);
  assert.equal(events(await slablab(`compare --workload w.bin ${few}`)), 6);
  assert.equal(events(spawnSlablab(`compare - ${few}`, text)), 6);
  assert.equal(events(spawnSlablab(`compare - ${few}`, gzipSync(text))), 6);
});

test('nothing is wider than the terminal', async () => {
  const commands = [
    `compare ${MANY}`,
    `compare ${MANY} --wide`,
    'layout --size 1024 --align 1024 --flags CACHE_DMA32 --cpus 4',
    'layout --size 1024 --align 1024 --flags CACHE_DMA32 --cpus 4 --debug FZPU',
    'layout --size 1000 --flags HWCACHE_ALIGN,PANIC,ACCOUNT,RECLAIM_ACCOUNT',
  ];
  for (const words of commands) {
    for (const columns of [72, 80, 120]) {
      const { out } = await slablab(words, { columns });
      assert.ok(widest(out) <= columns, `${words}: ${widest(out)} columns of ${columns}\n${out}`);
    }
  }
  const wide = (await slablab(`compare ${MANY}`, { columns: 120 })).out;
  assert.ok(widest(wide) > 100 && widest(wide) <= 120, 'and there is use for a wide one');
});

test('colours never reach a pipe, and a closed pipe is silent', async () => {
  assert.ok(!(await slablab(`compare ${MANY} ${FEW}`)).out.includes('\u001b'));
  assert.ok(!(await slablab('--help')).out.includes('\u001b'));
  const program = `"${process.execPath}" "${MAIN}"`;
  const command = `${program} compare ${MANY} --json | head -c 1; echo "-\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
  assert.equal(stdout, '{-0\n');
  assert.equal(stderr, '');
  const closed = `${program} layout --size 8 | true; echo "\${PIPESTATUS[0]}"`;
  const ended = spawnSync('bash', ['-c', closed], { encoding: 'utf8' });
  assert.deepEqual([ended.stdout, ended.stderr], ['0\n', '']);
});

test('layout tells what a kernel makes of a table', async () => {
  const { code, out } = await slablab(
    'layout --size 1024 --align 1024 --flags CACHE_DMA32 --cpus 4 --debug FZPU',
  );
  assert.equal(code, 0);
  assert.match(out, /^kmem_cache_create\("new_cache", 1024, 1024, SLAB_CACHE_DMA32, NULL\)\n/);
  assert.match(out, /\n {2}slab_size +3072 /);
  assert.match(out, /\n {2}order +3 +10 objects in 32 KiB\n/);
  assert.match(out, /\n {2}fallback order +0 +1 object, /);
  assert.match(out, /\n {2}allocflags +GFP_DMA32\|__GFP_COMP\n/);
  assert.match(out, /│ +left red zone +│ +object +│c│d│e│f│░+ padding ░+│/);
  const json = (await slablab('layout --size 1K --align 0x400 --flags SLAB_CACHE_DMA32 --cpus 4 --json')).out;
  const report = JSON.parse(json) as LayoutReport & { schema: string };
  assert.equal(report.schema, 'slablab/layout/2');
  assert.deepEqual([report.alone!.order, report.alone!.objects, report.merged], [2, 16, null]);
});

test('layout names the cache that is joined, and what would have come of it alone', async () => {
  const { out } = await slablab('layout --size 1024 --align 1024');
  assert.match(out, /it joins biovec-64, now shared by 3 caches/);
  assert.match(out, /biovec-64 +alone\n[\s\S]*\n {2}align +64 +1024\n/);
  assert.match((await slablab('layout --size 1024 --align 1024 --nomerge')).out, /\nA cache of its own\. /);
});

test('what the kernel refuses is exit code 1 with its line; --faithful takes what it survives', async () => {
  const { code, out } = await slablab('layout --size 5M');
  assert.equal(code, 1);
  assert.match(out, /\n {2}kmem_cache_create_usercopy\(new_cache\) failed with error -22\n$/);
  const json = await slablab('layout --size 8 --flags 0x400000 --json');
  assert.equal(json.code, 1);
  assert.match((JSON.parse(json.out) as LayoutReport).refused!, /error -22$/);
  assert.equal((await slablab('layout --size 8 --align 24 --faithful')).code, 0);
  assert.match(
    (await slablab('layout --size 64 --usersize 65')).out,
    /The kernel warns: WARNING: usercopy region 0\+65/,
  );
});

interface GenallocRecording {
  pools: { r: [address: number, available: number][] }[];
}

function genalloc(): GenallocRecording {
  return JSON.parse(recorded('genalloc-public')) as GenallocRecording;
}

test('verify counts what agrees', async () => {
  const { code, out, err } = await slablab(['verify', join(TRUTH, 'genalloc-public.json.gz')]);
  assert.deepEqual(
    { code, out, err },
    { code: 0, out: 'genalloc: 110 of 110 agree\n110 passed, 0 failed\n', err: '' },
  );
});

test('verify finds what was doctored: exit code 1', async () => {
  const recording = genalloc();
  recording.pools[3]!.r.at(-1)![1] += 1024;
  file('doctored.json', JSON.stringify(recording));
  const { code, out } = await slablab('verify doctored.json');
  assert.equal(code, 1);
  assert.match(
    out,
    /^doctored: 109 of 110 agree\n {2}\S[\s\S]*expected \d+, got\s+\d+\n109 passed, 1 failed\n$/,
  );
  const json = JSON.parse((await slablab('verify doctored.json --json')).out) as {
    failed: number;
    files: unknown[];
  };
  assert.deepEqual([json.failed, json.files.length], [1, 1]);
  const input = readFileSync(join(folder, 'doctored.json'));
  assert.match(spawnSlablab('verify - --verbose', input).out, /^stdin: 109 of 110 agree\n/);
});

test('verify says which file it cannot read, and goes on without counting it: exit code 3', async () => {
  const good = join(TRUTH, 'genalloc-public.json.gz');
  file('unknown.json', '{"what": "the weather"}');
  file('not.json', 'not json');
  file('hollow.json', '{"allocator": "SLUB", "caches_already_there": [], "cases": 7, "boots": {}}');
  for (const name of ['unknown.json', 'not.json', 'hollow.json', 'absent.json']) {
    const { code, out, err } = await slablab(['verify', name, good]);
    assert.equal(code, 3, name);
    assert.equal(out, 'genalloc: 110 of 110 agree\n110 passed, 0 failed\n');
    assert.match(err, new RegExp(`^slablab: ${name}.*\n$`));
  }
  const alone = await slablab('verify unknown.json');
  assert.deepEqual([alone.code, alone.out], [3, '0 passed, 0 failed\n']);
});

test('verify takes a folder for the recordings in it, and says what it passes over', async () => {
  const recordings = join(folder, 'recordings');
  mkdirSync(join(recordings, 'below'), { recursive: true });
  const ship = (name: string, to: string) => copyFileSync(join(TRUTH, name), join(recordings, to));
  ship('page_frag-public.json.gz', 'page_frag-public.json.gz');
  ship('buddy-public.json.gz', 'buddy-public.json.gz');
  ship('6.12/computed/order-ranges.json.gz', 'below/order-ranges.json.gz');
  writeFileSync(join(recordings, 'README.md'), 'no recording');
  const { code, out, err } = await slablab(`verify ${recordings}`);
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  const lines = [
    'page_frag: 104 of 104 agree',
    'order-ranges: 12 of 12 agree',
    'passed over, because verify does not read their kind: buddy',
    '116 passed, 0 failed',
  ];
  assert.equal(out, `${lines.join('\n')}\n`);
  // As a shell's pattern names them: a README among recordings is no mistake, one that claims to be a recording is.
  const named = await slablab(`verify ${recordings}/page_frag-public.json.gz ${recordings}/README.md`);
  assert.equal(named.code, 0);
  assert.match(named.out, /passed over.*README\.md\n104 passed, 0 failed\n$/);
  writeFileSync(join(recordings, 'broken.json'), '{"cases": [}');
  const broken = await slablab(`verify ${recordings}`);
  assert.equal(broken.code, 3);
  assert.match(broken.err, /broken\.json:1: not JSON/);
});
