/** `slablab info` and `slablab sysfs`, run in this process. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { enterFolder, slablab, widest } from '../command-line.case.test.js';

const folder = enterFolder('info');

const SCRIPT = join(folder, 'tables.slab');
writeFileSync(
  SCRIPT,
  `# Tables below 4 GiB, for two drivers.
create tables 1024 align=1024 flags=CACHE_DMA32
create more_tables 1024 align=1024 flags=CACHE_DMA32
alloc tables 100 gfp=GFP_ATOMIC
free tables 30 order=random
create gone 700
destroy gone
alloc dentry 500
`,
);

test('info lists the caches at the peak of the recorded workload', async () => {
  // With more CPUs it would be looked for on which of them the driver ran, which takes seconds.
  const { code, out, err } = await slablab('info --cpus 1');
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  assert.match(
    out,
    /^Second-level IOMMU tables [\s\S]*with 1,636 tables live\.\nmt8173 · Linux 6\.1 · 1 CPU\n\n/,
  );
  assert.match(out, /\nName +Objects Objsize +Space Slabs\/Part\/Cpu {2}O\/S O %Fr %Ef Flg\n/);
  assert.match(out, /\nio-pgtable_armv7s_l2 +\d+ +1024 +1\.\dM +\d+\/\d+\/\d +8 1 +\d+ +\d+ D\n/);
  assert.ok(out.endsWith('\nThe largest in detail:\n  slablab info --cpus 1 --report :D-0001024\n'));
});

test('info of a script: list, report, totals, aliases', async () => {
  const list = await slablab(['info', SCRIPT, '--sort', 'loss']);
  assert.match(list.out, /\nName +Objects Objsize +Loss /);
  assert.match(list.out, /\n:D-0001024 .* \*D\ndentry /);
  assert.match((await slablab(['info', SCRIPT, '--first-alias'])).out, /\nmore_tables /);
  const report = (await slablab(['info', SCRIPT, '--report', 'tables'])).out;
  assert.match(report, /\nSlabcache: :D-0001024 +Aliases: {2}1 Order : {2}2 /);
  assert.match(report, /\n\*\* Memory is allocated in a special DMA32 zone\n/);
  assert.equal((await slablab(['info', SCRIPT, '--report', ':D-0001024'])).code, 0);
  assert.match((await slablab(['info', SCRIPT, '--totals'])).out, /\nSlabcache Totals\n-+\nSlabcaches : /);
  assert.match((await slablab(['info', SCRIPT, '--aliases'])).out, /\n:D-0001024 {3}<- more_tables tables\n/);
  assert.match(
    (await slablab(['info', SCRIPT, '--sort', 'activity'])).out,
    /activity needs --statistics\.\n/,
  );
  const active = (await slablab(['info', SCRIPT, '--sort', 'activity', '--statistics'])).out;
  assert.match(active, /\nName +Objects +Alloc +Free +%Fast Fallb O CmpX {3}UL\ndentry +504 +500 +0 +95 +0 /);
  const empty = (await slablab(['info', SCRIPT, '--empty'])).out;
  assert.match(empty, /\nTCP .* 0\/0\/0 /);
  assert.match(
    (await slablab(['info', SCRIPT, '--no-merge', '--sort', 'size'])).out,
    /slub_nomerge\n[\s\S]*\ntables /,
  );
});

test('info as JSON', async () => {
  const { out } = await slablab(['info', SCRIPT, '--json', '--report', 'tables']);
  const json = JSON.parse(out);
  assert.deepEqual([json.version, json.machine.kernel, json.caches.length], [2, '6.1', 1]);
  const [cache] = json.caches;
  assert.deepEqual([cache.id, cache.cacheDma32, cache.names.length], [':D-0001024', true, 2]);
  assert.equal(json.totals.active, 2);
});

test('nothing is wider than the terminal', async () => {
  for (const words of [
    '',
    '--totals',
    '--aliases',
    '--report dentry',
    '--empty',
    '--sort loss --bytes',
    '--debug FZPU',
  ]) {
    for (const width of [80, 120]) {
      const { out, code } = await slablab(`info ${SCRIPT} ${words}`, { columns: width });
      assert.equal(code, 0, words);
      assert.ok(widest(out) <= width, `${words}: ${widest(out)} of ${width}\n${out}`);
    }
  }
});

test('help begins with examples and fits', async () => {
  for (const command of ['info', 'sysfs']) {
    const { out, code } = await slablab([command, '--help']);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^Examples:\n {2}slablab ${command}(.*\n)+?\nUsage: slablab ${command} `));
    assert.ok(widest(out) <= 80, out);
  }
});

test('what cannot be meant is refused', async () => {
  const bad = join(folder, 'bad.slab');
  writeFileSync(bad, 'create a 64\nfree a 3\n');
  for (const [words, code, message] of [
    [['info', SCRIPT, '--report', 'tabels'], 2, "no cache is called 'tabels'; did you mean 'tables'"],
    [['info', SCRIPT, '--report', 'gone'], 2, 'gone is a link to :0000704, and that cache was destroyed'],
    [['info', '--sort', 'sise'], 2, "no order is called 'sise'; did you mean 'size'?"],
    [['info', '--totals', '--aliases'], 2, '--totals and --aliases are reports of their own'],
    [['info', SCRIPT, '--workload', 'steady'], 2, 'which state: of the script'],
    [['info', SCRIPT, '--live', '3'], 2, "--live and --seed belong to the workload 'steady'"],
    [['info', '--workload', 'stedy'], 2, "no workload or file is called 'stedy'; did you mean 'steady'?"],
    [['info', '--kernel', '6.2'], 2, "no kernel is called '6.2'"],
    [['info', '--aliasse'], 2, 'slablab info has no option --aliasse; did you mean --aliases?'],
    [['info', bad], 3, `${bad}:2: 'a' has 0 live objects: cannot free 3`],
    [['info', join(folder, 'none.slab')], 3, `${join(folder, 'none.slab')}: no such file`],
    [['sysfs'], 2, 'slablab sysfs needs <dir>'],
    [['sysfs', SCRIPT], 3, `${SCRIPT}: expected a folder, but it, or a part of the path, is a file`],
    [['sysfs', folder], 3, `${folder}: expected an empty folder, but something is in it`],
  ] as const) {
    const ended = await slablab(words);
    assert.ok(ended.err.startsWith(`slablab: ${message}`), `${words.join(' ')}: ${ended.err}`);
    assert.deepEqual([ended.code, ended.out], [code, ''], words.join(' '));
  }
});

test('sysfs writes directories, modes and links', async () => {
  const dir = join(folder, 'tree', 'slab');
  const { code, out, err } = await slablab(['sysfs', dir, SCRIPT]);
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  assert.match(out, /: 139 caches · 4,031 files\s+· 92 links\n/);
  assert.match(out, /cache_dma32 came with the series/);
  const below = join(dir, ':D-0001024');
  assert.equal(readdirSync(below).length, 29);
  assert.equal(readFileSync(join(below, 'cache_dma32'), 'utf8'), '1\n');
  assert.equal(readFileSync(join(below, 'aliases'), 'utf8'), '1\n');
  assert.equal(lstatSync(join(below, 'order')).mode & 0o777, 0o400);
  assert.equal(lstatSync(join(below, 'min_partial')).mode & 0o777, 0o600);
  assert.equal(readlinkSync(join(dir, 'tables')), ':D-0001024');
  assert.equal(readFileSync(join(dir, 'more_tables', 'slab_size'), 'utf8'), '1024\n');
  assert.ok(lstatSync(join(dir, 'gone')).isSymbolicLink() && !existsSync(join(dir, 'gone')), 'it dangles');
  const again = await slablab(['sysfs', dir, SCRIPT, '--force', '--no-cache-dma32']);
  assert.equal(again.code, 0, again.err);
  assert.doesNotMatch(again.out, /cache_dma32/);
  const other = await slablab(['sysfs', dir, '--force', '--no-merge']);
  assert.equal(other.code, 0, 'links became directories');
  assert.ok(lstatSync(join(dir, 'Acpi-Namespace')).isDirectory());
  const back = await slablab(['sysfs', dir, '--force']);
  assert.equal(back.code, 3);
  assert.match(back.err, /expected nothing or a link, but it is a directory/);
});

test('sysfs without cache_dma32, as JSON', async () => {
  const dir = join(folder, 'plain');
  const { out } = await slablab([
    'sysfs',
    dir,
    '--no-cache-dma32',
    '--json',
    '--kernel',
    '6.12',
    '--no-standing',
  ]);
  const { slablab: tool, ...json } = JSON.parse(out);
  assert.match(tool, /^\d+\.\d+\.\d+$/);
  assert.deepEqual(json, {
    schema: 'slablab/sysfs/2',
    version: 2,
    command: 'sysfs',
    folder: dir,
    kernel: '6.12',
    cpus: 4,
    slubDebug: '',
    slubNomerge: false,
    directories: 0,
    files: 0,
    links: 0,
    cacheDma32: false,
  });
});

test('sysfs writes nothing outside its folder, and follows no link in it', async () => {
  const script = join(folder, 'escape.slab');
  writeFileSync(script, 'create ../../escape 64 ctor\ncreate own 64 ctor\n');
  const dir = join(folder, 'a', 'b');
  const outside = join(folder, 'outside');
  mkdirSync(outside);
  mkdirSync(dir, { recursive: true });
  symlinkSync(outside, join(dir, 'own'));
  const { code } = await slablab(['sysfs', dir, script, '--no-standing', '--force']);
  assert.equal(code, 0);
  assert.deepEqual(readdirSync(dir).sort(), ['..!..!escape', 'own']);
  assert.deepEqual(readdirSync(outside), []);
  writeFileSync(script, 'create .. 64 ctor\n');
  const dots = await slablab(['sysfs', join(folder, 'dots'), script, '--no-standing']);
  assert.equal(dots.code, 3);
  assert.match(dots.err, /one is '\.\.'/);
  writeFileSync(script, 'create own 64\n');
  const link = await slablab(['sysfs', dir, script, '--no-standing', '--force']);
  assert.equal(link.code, 3);
  assert.match(link.err, /expected nothing or a link, but it is a directory/);
});
