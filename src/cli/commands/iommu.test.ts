/** `slablab iommu`, and what `compare` makes of its loads: run in this process, and in one of its own where pipes matter. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { CompareResult, IommuResult } from '../../lab/index.js';
import { enterFolder, MAIN, slablab, widest } from '../command-line.case.test.js';

const folder = enterFolder('iommu');

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return name;
}

file(
  'frame.iommu',
  `# a frame buffer, and a driver that is wrong about it
map 0x10000000 0x40000000 8M
map 0x20000 0x51000000 64K prot=READ
phys 0x10000010
map 0x10000000 0x60000000 4K   # it is there already
unmap 0x10100000 4K            # splits a section
phys 0x10110000
`,
);

test('without a load there is a good first try', async () => {
  const { code, out, err } = await slablab('iommu');
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  assert.match(
    out,
    /^\d+ second-level tables live at the end, \d+ of which map nothing; at most \d+\s+at\s+any\s+time\.\n/,
  );
  assert.match(out, /\n1,000 operations: display, camera, video and apps\ngenerated --seed 1 --ops 1000\n/);
  assert.match(out, /\nmt8173: 4 GiB of RAM from 1 GiB, 1 GiB of it above 4 GiB · Linux 6\.1 · 4 CPUs\n/);
  assert.match(
    out,
    /\nFirst level: 4,096 entries of 1 MiB · one character is 4 MiB · .* mapped\n(0x[\da-f]{8} [·○▁-█■◆]{64}\n){16}/,
  );
  assert.match(out, /\nSecond level: \d+ tables of 256 entries\nentries in use +0 +1–63 /);
  assert.match(out, /\nMemory\nFirst level: 16 KiB, order 2, at 0x[\da-f]+ in zone DMA32\.\n/);
  assert.match(out, /│ 4 GiB\. All tables lie below 4 GiB\.\n/);
  assert.match(out, /live tables map nothing: the kernel keeps/);
  assert.match(out, /\nNext:\n {2}slablab iommu --walk 0x[\da-f]+\n {2}slablab iommu --free-empty\n/);
  assert.equal((await slablab('iommu generated --seed 1 --ops 1000')).code, 0);
  assert.notEqual((await slablab('iommu --seed 2')).out, out);
});

test('a script: what failed, which bug bit, what an address leads to', async () => {
  const { code, out } = await slablab('iommu frame.iommu --walk 0x20010 --walk 0x10200000');
  assert.equal(code, 0, 'the kernel’s answer is a result');
  assert.match(out, /^2 second-level tables live at the end\. ✗ 1 of 6 operations failed\.\n/);
  assert.match(
    out,
    /\n✗ What failed: 1 of 6 operations\nline 5: map 0x10000000 0x60000000 4K → -EEXIST \(-17\)\n {4}WARNING: /,
  );
  assert.match(
    out,
    /\n✗ Bugs of the kernel's driver that bit: 1; --faults fixed mends them\nline 6: unmap 0x10100000 4K: /,
  );
  assert.match(out, /\niova_to_phys\nline 4: 0x10000010 → 0x40000010\nline 7: 0x10110000 → 0x10000\n/);
  assert.match(
    out,
    /\nWalk of 0x20010\nlevel 1, entry 0 at 0x40000000: 0x4000[\da-f]{4}, table\n {2}[01]{22} /,
  );
  assert.match(out, /\n→ 0x20010 is physical 0x51000010\n/);
  assert.match(out, /\n→ 0x10200000 is physical 0x40200000\n/);
  const fixed = await slablab('iommu frame.iommu --faults fixed');
  assert.match(fixed.out, /line 7: 0x10110000 → 0x40110000\n/);
  assert.doesNotMatch(fixed.out, /Bugs of/);
  assert.equal((await slablab('iommu frame.iommu --strict')).code, 1);
  assert.equal((await slablab('iommu --ops 20 --strict')).code, 0);
});

test('--without-dma32 shows the bug, with the kernel’s message', async () => {
  const { code, out } = await slablab('iommu --without-dma32 --ops 100');
  assert.equal(code, 0);
  assert.match(out, /^No second-level table is live .* ✗ \d+ of 100\s+operations\s+failed\.\n/);
  assert.match(
    out,
    /→ -ENOMEM \(-12\)\n {4}Page table does not fit in PTE: 0x0000000100000000\n {4}and \d+ more like it\n/,
  );
  assert.match(
    out.replaceAll('\n  ', ' '),
    /came from above 4 GiB, where the 32 bits of an entry cannot point/,
  );
  assert.equal(
    (await slablab('iommu --tables slub --ops 100')).out.replace('--tables slub', '--without-dma32'),
    out,
  );
  assert.match((await slablab('iommu --without-dma32 --machine sun50i --ops 50')).out, /does not fit in PTE/);
  assert.match((await slablab('iommu --without-dma32 --memory 3G --ops 50')).out, /does no\s+harm/);
});

test('--era v6 ends where a kernel would', async () => {
  file(
    'short.iommu',
    'map 0 0x40000000 4K\nexhaust\nmap 0x100000 0x40000000 64M chunk=4K stride=8K\nphys 0\n',
  );
  const { code, out } = await slablab('iommu short.iommu --era v6');
  assert.equal(code, 0);
  assert.match(out, /^✗ The kernel crashes at line 3, with 16 tables live\.\n/);
  assert.match(
    out.replace(/\n +/g, ' '),
    /\nline 3: map .* → io-pgtable_armv7s_l2: no memory .* \(Linux: oops/,
  );
  assert.match(out, /1 operation was not done/);
  assert.equal((await slablab('iommu short.iommu --era v6 --strict')).code, 1);
  assert.match((await slablab('iommu short.iommu')).out, /→ -ENOMEM \(-12\)\n {4}SLUB: Unable to allocate/);
});

test('--free-empty sets the kernel’s way beside the other', async () => {
  const { out } = await slablab('iommu --ops 400 --free-empty');
  assert.match(
    out,
    /\nIf tables were given back when they become empty\n +kernel +given back\n {2}held at the end /,
  );
  assert.match(out, /\n {2}of them empty +[1-9]\d* +0\n/);
  assert.match(
    out.replaceAll('\n  ', ' '),
    /To give tables back when they become empty would save .* on average/,
  );
});

test('the options make the domain and the machine', async () => {
  const { out } = await slablab(
    'iommu --quirks no_perms,MTK_EXT,TTBR_EXT --ias 34 --oas 35 --machine rk3568 --ops 60 --cpus 1 --kernel 6.12',
  );
  assert.match(
    out,
    /\nARM_V7S: 34 bits in, 35 bits out · NO_PERMS ARM_MTK_EXT ARM_MTK_TTBR_EXT\nttbr 0x1 · /,
  );
  assert.match(out, /\nFirst level: 16,384 entries [^\n]*\n.* mapped\n0x000000000 /);
  assert.match(out, /tables lie above 4 GiB\.\n/);
  assert.match(out, / · Linux 6\.12/);
  const refused = await slablab('iommu --ias 35');
  assert.equal(refused.code, 1);
  assert.match(refused.out, /^✗ alloc_io_pgtable_ops returns NULL: ias 35 is more than the 32 bits/);
  for (const id of ['pages', 'genalloc', 'page_frag-4k', 'dma_pool', 'slub-dma32-debug'])
    assert.match((await slablab(`iommu --tables ${id} --ops 30`)).out, /everything is given back/, id);
});

test('which side of 4 GiB the tables lie on is said of what is there', async () => {
  const mediatek = '--quirks NO_PERMS,MTK_EXT,TTBR_EXT --oas 35';
  file('one-table.iommu', 'map 0 0x40000000 4K\n');
  file('section.iommu', 'map 0 0x40000000 1M\n');
  for (const [words, said] of [
    ['section.iommu', '│ 4 GiB. The first level lies below 4 GiB.'],
    [`section.iommu ${mediatek}`, '│ 4 GiB. The first level lies above 4 GiB.'],
    ['one-table.iommu', '│ 4 GiB. All tables lie below 4 GiB.'],
    [`one-table.iommu ${mediatek}`, '│ 4 GiB. 1 of 1 table lies above 4 GiB.'],
    [
      `one-table.iommu --tables slub-dma32 ${mediatek}`,
      'All second-level tables lie below 4 GiB, the first level above it.',
    ],
    ['one-table.iommu --memory 2G', '░ RAM. All tables lie below 4 GiB, where all of this RAM is.'],
    [
      `one-table.iommu --ram 8G-9G ${mediatek}`,
      '░ RAM. 1 of 1 table lies above 4 GiB, where all of this RAM is.',
    ],
  ] as const) {
    const { out } = await slablab(`iommu ${words}`);
    assert.ok(out.replace(/\s+/g, ' ').includes(said), `${words}: ${/█ tables.*\n.*/.exec(out)?.[0]}`);
  }
});

test('--json holds all of it', async () => {
  const { out } = await slablab('iommu frame.iommu --json --walk 0x20000');
  const result = JSON.parse(out) as IommuResult & { schema: string };
  assert.equal(result.schema, 'slablab/iommu/2');
  assert.deepEqual([result.load.operations, result.load.failed, result.load.bugs], [6, 1, 1]);
  assert.deepEqual([result.failures[0]!.line, result.failures[0]!.ret], [5, -17]);
  assert.equal(result.walks[0]!.steps.at(-1)!.output, 0x51000000);
  assert.equal(result.firstLevel!.entries.length, 4096);
  assert.equal(result.tables.length, 2);
});

test('--script prints a load that can be run again, and compared', async () => {
  const { out } = await slablab('iommu generated --seed 9 --ops 120 --script');
  assert.match(out, /^# display, camera, video and apps: generated --seed 9 --ops 120\nmap 0x/);
  file('again.iommu', out);
  const json = async (load: string) => {
    const { load: about, ...result } = JSON.parse((await slablab(`iommu ${load} --json`)).out) as IommuResult;
    return [about.operations, about.maps, result];
  };
  assert.deepEqual(await json('again.iommu'), await json('generated --seed 9 --ops 120'));
});

test('a recorded workload is a load too, whatever its file is called', async () => {
  const ops = [
    ['B', 0, 0x3000, 0x40000000, 0x1000, 0x2000, 3, [0, 0, 0], [['a', 0]]],
    ['V', 0, 0x3000, 1, [0, 0, 3], []],
  ];
  file('recorded.bin', gzipSync(JSON.stringify({ meta: { schema: 'v7s-workload-1' }, runs: [{ ops }] })));
  const { out } = await slablab('iommu recorded.bin --json');
  const { load, tables } = JSON.parse(out) as IommuResult;
  assert.deepEqual([load.unit, load.maps, load.unmaps, load.failed], ['operation', 1, 1, 0]);
  assert.deepEqual(
    tables.map(({ iova, used }) => [iova, used]),
    [[0, 0]],
  );
});

test('compare takes the tables of a load', async () => {
  const few = '--strategies slub-dma32,pages,slub';
  const { code, out } = await slablab(`compare --workload iommu:generated --seed 3 ${few}`);
  assert.equal(code, 0);
  assert.match(out, / events: second-level tables of display, camera, video and apps\n/);
  assert.match(out, / · iommu:generated --seed 3 --ops 1000\n/);
  assert.match(out, /At the end \d+ tables are live; \d+ of them map nothing\.\n/);
  file('pages.iommu', 'map 0 0x40000000 4K\nmap 0x100000 0x40000000 4K\nunmap 0 1M\n');
  const { out: json } = await slablab(`compare iommu:pages.iommu --json ${few}`);
  const { workload, strategies } = JSON.parse(json) as CompareResult;
  assert.deepEqual([workload.allocations, workload.frees, workload.endLive, workload.endEmpty], [2, 1, 1, 0]);
  assert.equal(strategies.at(-1)!.id, 'slub');
});

test('nothing is wider than the terminal', async () => {
  file(
    'long.iommu',
    `map 0 0x40000000 64M chunk=4K stride=8K prot=READ|WRITE|CACHE|NOEXEC|PRIV\nmap 0 0 4K\nunmap 0x5000 4K\n`,
  );
  for (const words of [
    'iommu --ops 300',
    'iommu --wide --ops 200',
    'iommu frame.iommu --walk 0x20000 --walk 0x10000000',
    'iommu long.iommu --walk 0x5000 --wide',
    'iommu --without-dma32 --ops 50 --wide',
    'iommu --ops 100 --free-empty --quirks NO_PERMS,MTK_EXT --ias 34 --oas 35 --walk 0x8000000',
    'iommu --ias 33',
  ]) {
    for (const columns of [72, 80]) {
      const { out } = await slablab(words, { columns });
      const lines = out.split('\n').filter((line) => !line.includes(folder));
      assert.ok(widest(lines.join('\n')) <= columns, `${words}: ${widest(out)} of ${columns}\n${out}`);
    }
  }
});

test('help begins with examples, fits, and says what a script is', async () => {
  const { out, code } = await slablab('iommu --help');
  assert.equal(code, 0);
  assert.match(out, /^Examples:\n {2}slablab iommu (.*\n)+?\nUsage: slablab iommu /);
  assert.match(out, /\n {2}map IOVA PADDR SIZE /);
  assert.ok(widest(out) <= 80, out);
  assert.equal((await slablab('help iommu')).out, out);
});

test('what cannot be meant is refused', async () => {
  file('bad.iommu', 'map 0 0x40000000 4K\nunmpa 0 4K\n');
  file('sections.iommu', 'map 0 0x40000000 1M\n');
  file('bad.json', '{"meta": {"schema": "v7s-1"}}');
  for (const [words, code, message] of [
    ['iommu genrated', 2, "no load or file is called 'genrated'; did you mean 'generated'"],
    ['iommu a b', 2, "slablab iommu takes one argument: 'b' is one too many"],
    ['iommu --wlak 0', 2, 'slablab iommu has no option --wlak; did you mean --walk?'],
    ['iommu --walk x', 2, "--walk: 'x' is no address"],
    ['iommu --walk 0x100000000', 2, 'an input address has 32 bits here: there is no 0x100000000 to walk'],
    ['iommu --tables slob', 2, "no strategy is called 'slob'; did you mean 'slub'"],
    ['iommu --without-dma32 --tables pages', 2, '--without-dma32 says where tables come from'],
    ['iommu --quirks NO_PERM', 2, "no quirk is called 'NO_PERM'; did you mean 'NO_PERMS'"],
    ['iommu --quirks ,', 2, '--quirks takes words'],
    ['iommu --ias many', 2, "--ias takes a whole number, not 'many'"],
    ['iommu --ias 8', 2, 'a first level for 8 bits of input address has less than one entry'],
    ['iommu --faults fxied', 2, "no kind of faults is called 'fxied'; did you mean 'fixed'"],
    ['iommu --era v5', 2, "no era is called 'v5'; did you mean 'v6'"],
    ['iommu --ops 0', 2, 'a generated load has 1 to 1,000,000 operations, not 0'],
    ['iommu recorded --ops 5', 2, "--ops belongs to the load 'generated', not to 'recorded'"],
    ['iommu frame.iommu --seed 5', 2, "--seed belongs to the load 'generated'"],
    ['iommu --script --json', 2, '--script is a format of its own'],
    ['iommu --machine mt8137', 2, "no machine is called 'mt8137'; did you mean 'mt8173'"],
    ['iommu --memory 4G --ram 1G-2G', 2, '--ram says how much memory there is'],
    ['iommu bad.iommu', 3, `bad.iommu:2: no operation is called 'unmpa'; did you mean 'unmap'`],
    ['iommu none.iommu', 3, `none.iommu: no such file`],
    ['iommu bad.json', 3, `bad.json:1: expected "meta": {"schema": "v7s-workload-1"}`],
    ['compare iommu:', 2, 'which load? iommu:generated'],
    ['compare iommu:genrated', 2, "no load or file is called 'genrated'"],
    ['compare iommu:generated --live 3', 2, "--live belongs to the workload 'steady'"],
    ['compare iommu:bad.iommu', 3, `bad.iommu:2: no operation`],
    ['compare iommu:sections.iommu', 3, `sections.iommu: a workload needs at least one event`],
  ] as const) {
    const ended = await slablab(words);
    assert.ok(ended.err.startsWith(`slablab: ${message}`), `${words}: ${ended.err}`);
    assert.deepEqual([ended.code, ended.out], [code, ''], words);
    assert.equal(ended.err.split('\n').length, 3, 'a line and a hint');
  }
  assert.match((await slablab('iommu bad.iommu')).err, /'slablab iommu --help' says what a script is/);
});

test('colours are for terminals that want them', async () => {
  // Node asks the process too whether its own output is a terminal.
  process.env.FORCE_COLOR = '1';
  try {
    const coloured = (await slablab('iommu --ops 20', { isTTY: true })).out;
    assert.ok(coloured.includes('\u001b['));
    const plain = (await slablab('iommu --ops 20')).out;
    assert.ok(!plain.includes('\u001b'));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape of terminal colours is one
    assert.equal(coloured.replace(/\u001b\[\d+m/g, ''), plain);
    const without = (await slablab('iommu --ops 20 --no-color', { isTTY: true })).out;
    assert.equal(without.replaceAll(' --no-color', ''), plain);
  } finally {
    delete process.env.FORCE_COLOR;
  }
});

test('a script comes through a pipe, and a closed one is silent', () => {
  const program = `"${process.execPath}" "${MAIN}"`;
  const shell = (command: string) => {
    const { stdout, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
    return [stdout, stderr];
  };
  const [out, err] = shell(`echo 'map 0x1000 0x40000000 64K' | ${program} iommu -`);
  assert.equal(err, '');
  assert.match(out!, /^1 second-level table live at the end\.\n1 operation: a script · standard input\n/);
  const chain = `${program} iommu generated --ops 99 --script | ${program} iommu - --json | head -c 1; echo "-\${PIPESTATUS[1]}"`;
  assert.deepEqual(shell(chain), ['{-0\n', '']);
  const compared = shell(
    `echo 'map 0 0x40000000 4K' | ${program} compare iommu:- --strategies pages --format csv`,
  );
  assert.equal(compared[1], '');
  assert.equal(compared[0]!.trimEnd().split('\n').length, 2);
});
