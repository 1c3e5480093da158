/** `slablab replay`, `sweep` and `verify` of a trace, as they are typed. They run in this process, for they are many. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { openTrace } from '../../node/index.js';
import { enterFolder, MAIN, slablab, spawnForHasty } from '../command-line.case.test.js';

const folder = enterFolder('replay');

const recorded = (name: string) => `truth/traces/${name}`;
const SNAPSHOTS = 'boot.json.gz';
/** Few events, for what is done many times. */
const FEW = recorded('sample-ftrace-boot-no_hash_pointers.txt.gz');
const BOOT = ['replay', 'boot.slt', '--snapshots', SNAPSHOTS];

before(async () => {
  const made = await slablab(['convert', recorded('boot-find-public.txt.gz'), '-o', 'boot.slt']);
  assert.equal(made.code, 0, made.err);
  writeFileSync(SNAPSHOTS, readFileSync(recorded('boot-find-public.snapshots.json.gz')));
});

/** What of a result the tests look at. */
interface Result {
  readonly name: string;
  readonly settings: readonly string[];
  readonly isBase: boolean;
  readonly words: readonly string[];
  readonly peak: { readonly bytes: number };
  readonly end: { readonly bytes: number };
  readonly caches: readonly Cache[];
}

interface Cache {
  readonly name: string;
  readonly sizeBytes: number;
  readonly objectsPerSlab: number;
  readonly order: number;
  readonly slabs: number;
  readonly peakSlabs: number;
  readonly peakBytes: number;
  readonly live: number;
}

async function results(args: readonly string[]): Promise<Result[]> {
  const { code, out, err } = await slablab([...args, '--json']);
  assert.equal(code, 0, err);
  const { version, results: all } = JSON.parse(out) as { version: number; results: Result[] };
  assert.equal(version, 2);
  return all;
}

const cacheOf = ({ caches }: Result, name: string) => caches.find((cache) => cache.name === name)!;

/** The most dentries that were live at once, counted from the trace by who allocates them, and how many are at the end. */
async function dentries(): Promise<{ peak: number; end: number }> {
  const { trace, close } = await openTrace('boot.slt');
  const own = trace.classes.map(({ site, kind }) => kind === 2 && site === '__d_alloc');
  let live = 0;
  let peak = 0;
  for (const { rows, op, class: classes } of trace.chunks(['op', 'class'])) {
    for (let i = 0; i < rows; i++) {
      if (!own[classes[i]!]) continue;
      const kind = op[i]! & 15;
      if (kind === 1) peak = Math.max(peak, ++live);
      if (kind === 2) live--;
    }
  }
  close();
  return { peak, end: live };
}

test('a struct that grows costs what can be worked out by hand', async () => {
  const { peak } = await dentries();
  const [base, grown] = await results([...BOOT, '--set', 'dentry.size=200']);
  const [was, is] = [cacheOf(base!, 'dentry'), cacheOf(grown!, 'dentry')];
  // 192 bytes: 21 in a page. 200: 20. Hardly any dentry is freed before the peak, so slabs are as full as they can be.
  assert.deepEqual([was.sizeBytes, was.objectsPerSlab, was.order], [192, 21, 0]);
  assert.deepEqual([is.sizeBytes, is.objectsPerSlab, is.order], [200, 20, 0]);
  assert.ok(
    was.peakSlabs - Math.ceil(peak / 21) <= 2 && was.peakSlabs >= Math.ceil(peak / 21),
    `${was.peakSlabs}`,
  );
  assert.ok(
    is.peakSlabs - Math.ceil(peak / 20) <= 2 && is.peakSlabs >= Math.ceil(peak / 20),
    `${is.peakSlabs}`,
  );
  assert.equal(was.live, is.live);
  // Nothing else changed, so the peaks differ by these slabs, and the words say so.
  for (const cache of base!.caches) {
    if (cache.name === 'dentry') continue;
    assert.deepEqual(cacheOf(grown!, cache.name), cache);
  }
  const kib = (slabs: number) => `${slabs * 4} KiB`;
  assert.equal(grown!.end.bytes - base!.end.bytes, (is.slabs - was.slabs) * 4096);
  const all = (grown!.peak.bytes - base!.peak.bytes) / 4096;
  // All together may hold most at another moment than the dentries do.
  assert.ok(all > 0 && all <= is.peakSlabs - was.peakSlabs, String(all));
  const [first, second] = grown!.words;
  const end = `${kib(is.slabs - was.slabs)} \\([\\d.]+ %\\) more\\.$`;
  assert.match(first!, new RegExp(`peak, ${kib(all)} \\([\\d.]+ %\\) more .* at the end, ${end}`));
  assert.ok(second!.includes(`dentry +${kib(is.peakSlabs - was.peakSlabs)}.`), second);
});

test('three what-ifs of a recorded boot take seconds, and each is the same alone', async () => {
  const sets = ['slub_max_order=0', 'page_size=64K, cpus=4', 'allocator=slab'];
  const begun = performance.now();
  const all = await results([...BOOT, ...sets.flatMap((set) => ['--set', set])]);
  const seconds = (performance.now() - begun) / 1000;
  assert.ok(seconds < 30, `${seconds} s`);
  assert.deepEqual(
    all.map(({ name, isBase }) => [name, isBase]),
    [
      ['as recorded', true],
      ['[1] slub_max_order=0', false],
      ['[2] page_size=64K cpus=4', false],
      ['[3] allocator=slab', false],
    ],
  );
  const alone = await results([...BOOT, '--set', 'allocator=slab']);
  assert.deepEqual({ ...alone[1], name: '' }, { ...all[3], name: '' });
  assert.deepEqual(alone[0], all[0]);
  // With order 0 no slab is larger than a page, but where an object is.
  for (const { sizeBytes: size, order } of all[1]!.caches)
    assert.equal(order, Math.ceil(Math.log2(Math.ceil(size / 4096))), `${size}`);
});

test('--vs says what the others are compared with', async () => {
  const [base, other] = await results([
    'replay',
    FEW,
    '--vs',
    'slub_max_order=0',
    '--set',
    'slub_max_order=0',
  ]);
  assert.equal(base!.name, 'slub_max_order=0');
  assert.match(other!.words[0]!, /, as much as slub_max_order=0 /);
  assert.equal(other!.peak.bytes, base!.peak.bytes);
});

test('the screen fits 80 columns, has no colours in a pipe, and ends with what to do next', async () => {
  const { code, out, err } = await slablab(
    [...BOOT, '--set', 'dentry.size=200', '--set', 'cpus=2', '--wide'],
    { columns: 80 },
  );
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape of terminal colours is one
  assert.doesNotMatch(out, /\u001b/);
  for (const line of out.split('\n')) assert.ok([...line].length <= 80, line);
  assert.match(out, /^What would these allocations hold on another machine\?\n/);
  assert.match(out, /\nas recorded +10\.\d\d +8\.\d\d/);
  assert.match(out, /\n\[1\] dentry\.size=200 +10\.\d\d +\+0\.\d %/);
  assert.match(out, /\nNext:\n {2}slablab verify boot\.slt --snapshots boot\.json\.gz\n/);
  const narrow = await slablab(['replay', FEW, '--set', 'dentry.size=200'], { columns: 40 });
  assert.equal(narrow.code, 0);
});

test('CSV has a row for each cache of each machine, and a row for all', async () => {
  const { code, out } = await slablab(['replay', FEW, '--set', 'cpus=2', '--csv']);
  assert.equal(code, 0);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));
  const head = lines[0]!;
  assert.deepEqual(head.slice(0, 6), [
    'whatIf',
    'cache',
    'sizeBytes',
    'objectsPerSlab',
    'order',
    'peakBytes',
  ]);
  assert.ok(lines.every((line) => line.length === head.length));
  const at = (name: string) => head.indexOf(name);
  const rows = lines.filter(([whatIf]) => whatIf === 'cpus=2');
  const [all, ...caches] = rows;
  assert.equal(all![1], '(all)');
  for (const name of ['slabs', 'live', 'recoverableBytes', 'allocs']) {
    const sum = caches.reduce((total, row) => total + Number(row[at(name)]), 0);
    assert.equal(sum, Number(all![at(name)]), name);
  }
  assert.equal((await slablab(['replay', FEW, '--csv', '--json'])).code, 2);
});

/** Elements that have no end. */
const VOID = new Set(['meta', 'line', 'polyline', 'polygon', '!doctype']);

test('--html is one page that asks for nothing else, with a plot', async () => {
  const { code, out } = await slablab([...BOOT, '--set', 'dentry.size=200', '--html', 'report.html']);
  assert.equal(code, 0);
  assert.match(out, /^What would/, 'the screen comes too');
  const page = readFileSync(join(folder, 'report.html'), 'utf8');
  assert.match(page, /^<!doctype html>/);
  assert.doesNotMatch(page, /https?:|<script|<link|<img|@import|url\(/);
  assert.match(page, /prefers-color-scheme: dark/);
  assert.equal(page.match(/<svg /g)!.length, 2);
  assert.match(page, /aria-label="Bytes of slabs over time, of each machine"/);
  assert.match(page, /\[1\] dentry\.size=200<\/text>/);
  assert.match(page, /<li>dentry\.size=200 holds 10\.\d\d MiB at the peak/);
  assert.doesNotMatch(page, /NaN|undefined|Infinity/);
  // Every element is closed, in its order.
  const open: string[] = [];
  for (const [, slash, name, self] of page
    .replace(/<style>.*?<\/style>/s, '')
    .matchAll(/<(\/?)([!a-z0-9]+)[^>]*?(\/?)>/g)) {
    if (self === '/' || VOID.has(name!)) continue;
    if (slash === '') open.push(name!);
    else assert.equal(open.pop(), name);
  }
  assert.deepEqual(open, []);
});

test('what a name holds cannot become HTML', async () => {
  const line = (comm: string, i: number, event: string) =>
    `${comm.padStart(16)}-${i} [000] ..... ${i}.000000: ${event}\n`;
  const text = Array.from({ length: 40 }, (_, i) =>
    line(
      '<b>&"x\'',
      7,
      `kmalloc: call_site=f${'<i>'}+0x1/0x2 ptr=ffff888${i.toString(16).padStart(9, '0')} bytes_req=8 bytes_alloc=8 gfp_flags=GFP_KERNEL`,
    ),
  );
  writeFileSync(join(folder, '<odd>.txt'), text.join(''));
  const { code, err } = await slablab(['replay', '<odd>.txt', '--html', 'odd.html']);
  assert.equal(code, 0, err);
  const page = readFileSync(join(folder, 'odd.html'), 'utf8');
  assert.doesNotMatch(page, /<b>|<i>|<odd>/);
  assert.match(page, /&lt;odd&gt;/);
});

test('what no machine can have is left out and told', async () => {
  const line = (i: number, event: string) =>
    `          task-7 [000] ..... ${i}.000000: ${event} gfp_flags=GFP_KERNEL\n`;
  const object = (i: number, bytes: number) =>
    line(
      i,
      `kmem_cache_alloc: call_site=f${i}+0x1/0x2 ptr=ffff888000${String(i).padStart(3, '0')}000 bytes_req=${bytes} bytes_alloc=${bytes}`,
    );
  const odd = Array.from({ length: 300 }, (_, i) => object(i + 100, 8 * (i + 3000)));
  writeFileSync(
    'damaged.txt',
    [object(1, 2 ** 32 - 1), object(2, 5_000_000), object(3, 64), ...odd].join(''),
  );
  const { code, out, err } = await slablab(['replay', 'damaged.txt', '--wide']);
  assert.equal(code, 0, err);
  const words = out.slice(out.indexOf('What the trace does not say')).replace(/\s+/g, ' ');
  assert.match(
    words,
    /\?f1\/4294967295 has objects of 4294967295 bytes, which no slab holds: they were left out\./,
  );
  assert.match(
    words,
    /\d+ kinds of objects that no known cache has, \?f\d+\/\d+ the first of them, were left out/,
  );
});

test('a mistake on the command line gets the nearest word and exit code 2, before the trace is read', async () => {
  for (const [args, message] of [
    [['replay'], /slablab replay needs <trace>/],
    [
      ['replay', 'nowhere', '--set', 'slub_maxorder=0'],
      /no setting is called 'slub_maxorder'; did you mean 'slub_max_order'/,
    ],
    [
      ['replay', 'nowhere', '--set', 'dentry.sise=8'],
      /no setting of a cache is called 'sise'; did you mean 'size'/,
    ],
    [
      ['replay', 'nowhere', '--set', 'cpus=many'],
      /'cpus=many': expected a whole number from 1 to 1024, but there stands 'many'/,
    ],
    [['replay', 'nowhere', '--set', 'cpus=1..4'], /a range is for 'slablab sweep'/],
    [
      ['replay', 'nowhere', '--set', 'filp.strategy=page_frag'],
      /no strategy is called 'page_frag'; did you mean/,
    ],
    [
      ['replay', 'nowhere', '--machine', 'x86', '--ram', '0-1G'],
      /no machine is called 'x86'; did you mean 'x86_64'/,
    ],
    [['replay', 'nowhere', '--sets', 'x'], /has no option --sets; did you mean --set\?/],
    [
      ['replay', 'boot.slt', '--set', 'dentri.size=8'],
      /no cache of the recorded machine is called 'dentri'; did you mean 'dentry'/,
    ],
    [['sweep', 'nowhere', '--set', 'cpus'], /'cpus' is no axis/],
    [['sweep', 'nowhere', '--set', 'cpu=1..2'], /no setting is called 'cpu'; did you mean 'cpus'/],
    [['sweep', 'nowhere', '--jobs', '0'], /--jobs 0 would compute nothing/],
    [
      ['sweep', 'boot.slt', '--set', 'cpus=1,2', '--cell', '2'],
      /there is no cell 2 of 2 cells, which are numbered from 0/,
    ],
    [['sweep', 'boot.slt', '--set', 'dentri.size=8'], /called 'dentri'; did you mean 'dentry'/],
    [['verify', '--snapshots', SNAPSHOTS], /--snapshots belong to one trace/],
    [['verify', 'boot.slt', '--snapshots', SNAPSHOTS, '--within', 'x'], /--within takes a percentage/],
  ] as const) {
    const { code, out, err } = await slablab(args);
    assert.deepEqual({ code, out }, { code: 2, out: '' }, `${args}: ${err}`);
    assert.match(err, message);
    assert.match(err, /^slablab: [^\n]+\n {2}see 'slablab.*--help'\n$/);
  }
});

test('a file that is not what it should be ends in exit code 3 with the place and the reason', async () => {
  writeFileSync(join(folder, 'cut.slt'), readFileSync('boot.slt').subarray(0, 99_999));
  writeFileSync(join(folder, 'broken.json'), '{"snapshots": [{"name": "a"}]}');
  for (const [args, message] of [
    [['replay', 'nowhere'], /nowhere: no such file/],
    [['replay', 'cut.slt'], /cut\.slt: the file was cut off/],
    [
      ['replay', SNAPSHOTS],
      /expected a trace, but it is JSON: if it holds snapshots, name their trace and give it with --snapshots/,
    ],
    [['replay', 'boot.slt', '--snapshots', 'broken.json'], /broken\.json: expected "\w+" of snapshot 'a'/],
    [['replay', 'boot.slt', '--snapshots', 'boot.slt'], /boot\.slt/],
    [['sweep', 'cut.slt', '--set', 'cpus=1,2'], /the file was cut off/],
    [['verify', 'boot.slt', '--snapshots', 'broken.json'], /broken\.json: expected/],
    [['replay', 'boot.slt', '--html', 'no/such/x.html'], /there is no such folder/],
  ] as const) {
    const { code, out, err } = await slablab(args);
    assert.deepEqual({ code, out }, { code: 3, out: '' }, `${args}: ${err}`);
    assert.match(err, message);
  }
});

test('a pipe that closes ends it silently', async () => {
  assert.deepEqual(await spawnForHasty([...BOOT, '--json']), { code: 0, err: '' });
});

test('verify holds a replay against the snapshots, and finds those of another boot', async () => {
  const good = await slablab(['verify', 'boot.slt', '--snapshots', SNAPSHOTS]);
  assert.equal(good.code, 0, good.out + good.err);
  assert.match(good.out, /\n {2}slabs +0 % +0 % +0 % +\d+\n/);
  assert.match(good.out, /\n\d+ passed, 0 failed\n$/);
  // Snapshots of another day.
  const json = JSON.parse(gunzipSync(readFileSync(SNAPSHOTS)).toString());
  for (const snapshot of json.snapshots) {
    snapshot.monoBegin = String(Number(snapshot.monoBegin) + 1e6);
    if (snapshot.monoEnd !== undefined) snapshot.monoEnd = String(Number(snapshot.monoEnd) + 1e6);
  }
  writeFileSync('later.json', JSON.stringify(json));
  const later = await slablab(['verify', 'boot.slt', '--snapshots', 'later.json']);
  assert.equal(later.code, 3, later.err);
  assert.match(
    later.err,
    /later\.json: these snapshots are not of the recording boot\.slt: they were taken \d+ s after/,
  );
  const text = readFileSync(recorded('sock-public.txt.gz'));
  writeFileSync(join(folder, 'sock.gz'), text);
  const wrong = await slablab(['verify', 'sock.gz', '--snapshots', SNAPSHOTS]);
  assert.equal(wrong.code, 3, wrong.err);
  assert.match(
    wrong.err,
    /these snapshots are not of the recording sock\.gz: .*the trace has events of 2 CPUs, and they have 1/,
  );
  const odd = await slablab(['verify', 'sock.gz', '--snapshots', recorded('sock-public.snapshots.json.gz')]);
  assert.equal(odd.code, 1, odd.err);
  assert.match(odd.out, /off by more than 2\.0 %/);
  assert.match(odd.out, /\n\d+ passed, [1-9]\d* failed\n$/);
  // Snapshots before and after only: the end is compared, and that is said.
  const own = JSON.parse(gunzipSync(readFileSync(recorded('gcc-public.snapshots.json.gz'))).toString());
  const around = own.snapshots.filter(({ name }: { name: string }) => /^(00-before|99-after)/.test(name));
  writeFileSync('around.json', JSON.stringify({ ...own, snapshots: around }));
  const recipe = await slablab(['verify', recorded('gcc-public.txt.gz'), '--snapshots', 'around.json']);
  assert.equal(recipe.code, 1, recipe.err);
  assert.match(
    recipe.out.replace(/\s+/g, ' '),
    /Compared was its end with 99-after-trace, taken 3\.9 s after the last event/,
  );
});

const SWEEP = ['sweep', FEW, '--set', 'slub_max_order=-,0', '--set', 'cpus=1,2'];

test('a sweep is the same rows whoever computes them: all cores, one core, one cell, replay', async () => {
  const all = await slablab(SWEEP);
  assert.equal(all.code, 0, all.err);
  const lines = all.out.trimEnd().split('\n');
  assert.equal(lines.length, 5);
  assert.match(lines[0]!, /^slub_max_order,cpus,trace,machine,events,inputDigest,peakBytes,/);
  assert.equal((await slablab([...SWEEP, '--jobs', '1'])).out, all.out);
  for (const cell of [0, 3]) {
    const one = await slablab([...SWEEP, '--cell', String(cell)]);
    assert.equal(one.out, `${lines[0]}\n${lines[cell + 1]}\n`);
  }
  assert.equal(
    (await slablab([...SWEEP, '--list'])).out,
    '0\tcpus=1\n1\tcpus=2\n2\tslub_max_order=0 cpus=1\n3\tslub_max_order=0 cpus=2\n',
  );
  const [, other] = await results(['replay', FEW, '--set', 'slub_max_order=0,cpus=2']);
  const peak = lines[0]!.split(',').indexOf('peakBytes');
  assert.equal(Number(lines[4]!.split(',')[peak]), other!.peak.bytes);
});

test('a sweep that was stopped goes on where it was, also to Parquet', async () => {
  const out = join(folder, 'sweep.csv');
  const whole = await slablab([...SWEEP, '-o', 'sweep.csv']);
  assert.equal(whole.code, 0, whole.err);
  assert.match(whole.out, /^sweep\.csv: 4 cells in /);
  const text = readFileSync(out, 'utf8');
  const lines = text.split('\n');
  // Two rows, one of them changed so that it is seen not to be computed again, and a third that was cut off.
  const marked = lines[2]!.replace(/\d+,\d+,$/, '0,77,');
  writeFileSync(out, `${lines[0]}\n${marked}\n${lines[3]!.slice(0, 20)}`);
  const again = await slablab([...SWEEP, '-o', 'sweep.csv']);
  assert.match(again.out, /4 cells in .*; 1 was there already\./s);
  assert.equal(readFileSync(out, 'utf8'), [lines[0], lines[1], marked, lines[3], lines[4], ''].join('\n'));
  const parquet = await slablab([...SWEEP, '-o', 'sweep.parquet']);
  assert.equal(parquet.code, 0, parquet.err);
  assert.equal(existsSync(`${join(folder, 'sweep.parquet')}.partial.csv`), false);
  const { buffer } = Uint8Array.from(readFileSync(join(folder, 'sweep.parquet')));
  const rows = await parquetReadObjects({ file: buffer });
  const csv = rows.map((row) =>
    Object.values(row)
      .map((value) => (value === null ? '' : String(value)))
      .join(','),
  );
  assert.deepEqual(csv, lines.slice(1, 5));
  assert.match((await slablab([...SWEEP, '-o', 'sweep.parquet'])).out, /4 were there already/);
  const others = await slablab(['sweep', FEW, '--set', 'cpus=1', '-o', 'sweep.csv']);
  assert.equal(others.code, 2);
  assert.match(others.err, /sweep\.csv holds rows of another sweep/);
});

test('a row is of what it was computed from, whatever that is called', async () => {
  const sweep = ['sweep', 'it.txt', '--set', 'cpus=1', '-o', 'it.csv', '--snapshots', 'it.json.gz'];
  const rowsOf = async () => {
    const { code, out, err } = await slablab([...sweep, '--json']);
    assert.equal(code, 0, err);
    const { rows } = JSON.parse(out) as { rows: Record<string, unknown>[] };
    // The file says the same, and nothing of what was there under these names before.
    assert.equal(readFileSync('it.csv', 'utf8').trimEnd().split('\n').length, 2);
    return rows;
  };
  const snapshots = readFileSync(SNAPSHOTS);
  const { meta, ...said } = JSON.parse(gunzipSync(snapshots).toString());
  const other = JSON.stringify({ meta: { ...meta, note: 'another' }, ...said });
  const text = gunzipSync(readFileSync(FEW));
  writeFileSync('it.txt', text);
  writeFileSync('it.json.gz', snapshots);
  const [first] = await rowsOf();
  assert.deepEqual(await rowsOf(), [first]);
  writeFileSync('it.json.gz', other);
  const [second] = await rowsOf();
  assert.notEqual(second!.inputDigest, first!.inputDigest);
  // As many events, one of them another: a trace that was recorded again.
  writeFileSync('it.json.gz', snapshots);
  const again = text.toString().replace(/bytes_req=\d+ bytes_alloc=\d+/, 'bytes_req=4000 bytes_alloc=4096');
  assert.notEqual(again, text.toString());
  writeFileSync('it.txt', again);
  const [third] = await rowsOf();
  assert.equal(third!.events, first!.events);
  assert.notEqual(third!.inputDigest, first!.inputDigest);
  // Back to the first: what it came to is known by what it is, not by when it was.
  writeFileSync('it.txt', text);
  assert.deepEqual(await rowsOf(), [first]);
  // The same trace in another format is the same.
  await slablab(['convert', 'it.txt', '-o', 'it.slt']);
  const digest = async (file: string) =>
    (
      JSON.parse((await slablab(['sweep', file, '--set', 'cpus=1', '--json'])).out) as {
        rows: Record<string, unknown>[];
      }
    ).rows[0]!.inputDigest;
  assert.equal(await digest('it.slt'), await digest('it.txt'));
});

test('several programs may compute the cells of one file at once', async () => {
  const cells = [0, 1, 2, 3].map(
    (cell) =>
      new Promise<number | null>((done) => {
        spawn(process.execPath, [MAIN, ...SWEEP, '--cell', String(cell), '-o', 'at-once.csv'], {
          cwd: folder,
        }).on('close', done);
      }),
  );
  assert.deepEqual(await Promise.all(cells), [0, 0, 0, 0]);
  const there = await slablab([...SWEEP, '-o', 'at-once.csv']);
  assert.match(there.out, /4 were there already/);
  const fresh = await slablab(SWEEP);
  assert.equal(readFileSync('at-once.csv', 'utf8'), fresh.out);
});

test('--list and --json name the schema', async () => {
  const { axes, cells, schema } = JSON.parse((await slablab([...SWEEP, '--list', '--json'])).out);
  assert.equal(schema, 'slablab/sweep/2');
  assert.deepEqual([axes.length, cells.length, cells[2].settings], [2, 4, ['slub_max_order=0', 'cpus=1']]);
});

test('a cell that makes no machine is a row with the reason', async () => {
  const { code, out, err } = await slablab(['sweep', FEW, '--set', 'kmalloc-1k.size=-,1M']);
  assert.equal(code, 1);
  assert.match(err, /^slablab: 1 of 2 cells failed, the first because kmalloc-1k\.size: /);
  const [head, good, bad] = out.trimEnd().split('\n');
  assert.match(head!, /,error$/);
  assert.match(good!, /,$/);
  assert.match(bad!, /^1M,[^,]+,,1999,[0-9a-f]{32},,+"?[^,]+/);
  // What no kernel takes is known before.
  for (const set of ['cpus=1,100000', 'slub_max_order=11..12'])
    assert.equal((await slablab(['sweep', 'nowhere', '--set', set])).code, 2, set);
});
