/** What a person gets who gave the wrong file, misspelt a word or asked for what changes nothing: each has a sentence that is true. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { enterFolder, type Screen, slablab, spawnSlablab, widest } from './command-line.case.test.js';

enterFolder('wrong');
const TRACE = 'truth/traces/sample-ftrace-boot-no_hash_pointers.txt.gz';
const SNAPSHOTS = 'truth/traces/boot-find-public.snapshots.json.gz';

const SLABINFO = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> : slabdata
dentry             100892 103284    208   19    1 : tunables    0    0    0 : slabdata   5436   5436      0
`;
writeFileSync('slabinfo.txt', SLABINFO);
writeFileSync('slabtop.txt', ' Active / Total Objects (% used)    : 2471 / 2600 (95.0%)\n\n  OBJS ACTIVE\n');
writeFileSync('other.json', '{"a":1}');
writeFileSync('list.json', '[]');
writeFileSync('hello.txt', 'hello\n');
writeFileSync('own.slab', 'create own 64\nalloc own 100\nalloc dentry 30\n');
/** A workload of few events: what is asked here is not what it comes to. */
const tables = Array.from({ length: 300 }, (_, id) => [
  'B',
  ...[0, 0, 0, 0, 0, 0, 0],
  [['a', id], ...(id >= 40 ? [['f', id - 40]] : [])],
]);
writeFileSync('few.json', JSON.stringify({ meta: { schema: 'v7s-workload-1' }, runs: [{ ops: tables }] }));

let converted = '';
before(async () => {
  const { code, out, err } = await slablab('convert truth/traces/boot-find-public.txt.gz -o boot.slt');
  assert.equal(code, 0, err);
  converted = out;
});

async function refused(words: string | readonly string[], code: number, message: RegExp): Promise<void> {
  const ended = await slablab(words);
  assert.equal(ended.code, code, ended.err);
  assert.match(ended.err, message);
}

test('the text of /proc/slabinfo is called what it is, and what shows it is named', async () => {
  const words = /it is the text of \/proc\/slabinfo: 'slablab open slabinfo\.txt' shows it in the page\n/;
  for (const command of [
    'replay slabinfo.txt',
    `replay ${TRACE} --snapshots slabinfo.txt`,
    'convert slabinfo.txt -o x.slt',
    'info slabinfo.txt',
    'sysfs folder slabinfo.txt',
    'iommu slabinfo.txt',
    'compare slabinfo.txt',
    'verify slabinfo.txt',
    'sweep slabinfo.txt --set cpus=1',
  ])
    await refused(command, 3, words);
  for (const command of ['replay slabtop.txt', 'info slabtop.txt', 'verify slabtop.txt'])
    await refused(command, 3, /it is what slabtop prints, which no command takes/);
});

test('other files are told apart as well', async () => {
  await refused('replay list.json', 3, /list\.json:1: expected a trace, but it is JSON: /);
  await refused(
    'info other.json',
    3,
    /expected a script, but it is JSON, and neither snapshots nor a workload/,
  );
  await refused(`info ${SNAPSHOTS}`, 3, /expected a script, but it is snapshots of a machine: /);
  await refused(`compare ${SNAPSHOTS}`, 3, /expected a workload, but it is snapshots of a machine: /);
  await refused(`verify ${TRACE}`, 3, /it is a trace: 'slablab verify \S+ --snapshots FILE' holds/);
  await refused('info truth/v7s-workload.json.gz', 3, /it is a workload: 'slablab compare \S+' takes it/);
  await refused('iommu other.json', 3, /there stands \{"a":1\}/);
  await refused('replay hello.txt', 3, /expected one of ftrace text, (?!.*slabinfo).*; there stands 'hello'/);
});

test('a misspelt option is named before one that is missing for it', async () => {
  await refused('layout --siez 10', 2, /slablab layout has no option --siez; did you mean --size\?/);
  await refused('layout --align 8', 2, /slablab layout needs --size <bytes>/);
});

test('few choices are listed, many are cut', async () => {
  await refused('compare --format xml', 2, /no format is called 'xml'; known: table, csv, md\n/);
  const { err } = await slablab('info --report nosuch --workload steady');
  assert.match(err, /known: .*, and \d+ more\n/);
  assert.ok(err.length < 400, err);
});

test('numbers are printed back as they were typed', async () => {
  await refused('compare --memory 100T', 2, /not 100 TiB\n/);
  await refused('compare --ram 5G-1G', 2, /RAM range '5G-1G' ends where it begins, or before/);
  await refused('compare --ram 1G-7G,6G-8G', 2, /'6G-8G' begins before the end of '1G-7G'/);
  await refused('layout --size 99999999999999999999', 2, /'99999999999999999999' is too large/);
  await refused('layout --size 1.3', 2, /'1\.3' is no whole number of bytes/);
  await refused(
    'iommu --seed 18446744073709551616',
    2,
    /--seed takes a whole number up to \d+, not 18446744073709551616/,
  );
});

test('what changes nothing, or says two things, is refused', async () => {
  await refused(`replay ${TRACE} --set slub_max_order=1,slub_max_order=2`, 2, /slub_max_order is set twice/);
  await refused(`replay ${TRACE} --vs cpus=2`, 2, /give at least one with --set/);
  await refused(`replay ${TRACE} --csv --wide`, 2, /--wide is for the table/);
  await refused(`replay ${TRACE} --csv --format md`, 2, /which format: --csv or --format md\?/);
  await refused('verify --within 5', 2, /--within is for a trace and its snapshots/);
  await refused(['sysfs', ''], 3, /expected the name of a folder to write, but it is empty/);
});

test('--no-merge and --nomerge are one option, and so are --csv and --format csv', async () => {
  for (const command of ['layout --size 700', 'info own.slab'])
    assert.equal(
      (await slablab(`${command} --no-merge`)).out.replaceAll('--no-merge', '--nomerge'),
      (await slablab(`${command} --nomerge`)).out,
    );
  assert.match((await slablab('layout --size 700 --no-merge')).out, /slub_nomerge/);
  const csv = await slablab('compare few.json --csv');
  assert.equal(csv.code, 0);
  assert.equal(csv.out, (await slablab('compare few.json --format csv')).out);
});

test('slub_debug is shown as a kernel takes it: names of caches keep their letters', async () => {
  for (const [given, shown] of [
    ['FZ,dentry', 'FZ,dentry'],
    ['fz,dent*;p,Acpi-State', 'FZ,dent*;P,Acpi-State'],
    ['fzpu', 'FZPU'],
  ] as const) {
    const { out } = await slablab(['layout', '--size', '700', '--debug', given]);
    assert.ok(out.includes(`slub_debug=${shown}\n`), out);
  }
});

test('help and tables keep to a terminal of 40 columns', async () => {
  const narrow: Screen = { columns: 40 };
  for (const command of [
    '',
    'compare',
    'layout',
    'iommu',
    'info',
    'sysfs',
    'replay',
    'sweep',
    'convert',
    'open',
    'verify',
  ]) {
    const { out } = await slablab(`${command} --help`, narrow);
    // What is to be copied is not broken inside quotes.
    const lines = out.split('\n').filter((line) => !/['"]/.test(line) && !line.startsWith('Usage:'));
    assert.ok(widest(lines.join('\n')) <= 40, `${command}: ${lines.find((line) => [...line].length > 40)}`);
  }
  assert.ok(widest((await slablab('compare few.json', narrow)).out) <= 44);
});

test('each default that help states is the one that is used', async () => {
  const defaults = async (command: string, option: string) => {
    const { out } = await slablab(`${command} --help`, { columns: 200 });
    return new RegExp(`--${option} .*\\(default: "?([^")]*)"?\\)`).exec(out)?.[1];
  };
  assert.equal(await defaults('verify', 'within'), '2');
  for (const [command, options] of [
    ['compare steady --strategies slub-dma32', ['live', 'seed', 'machine', 'cpus', 'kernel', 'points']],
    ['iommu', ['seed', 'ops', 'machine', 'cpus', 'kernel', 'ias', 'oas', 'faults', 'era']],
    [
      'layout --size 700',
      ['align', 'cpus', 'usersize', 'useroffset', 'name', 'machine', 'kernel', 'allocator'],
    ],
    ['info --workload steady', ['live', 'seed', 'sort', 'cpus', 'kernel', 'allocator']],
  ] as const) {
    const json = async (more: string) => JSON.parse((await slablab(`${command} ${more} --json`)).out);
    const stated = [];
    for (const option of options) {
      const value = await defaults(command.split(' ')[0]!, option);
      assert.ok(value !== undefined, `${command} --help states no default of --${option}`);
      stated.push(`--${option} ${value}`);
    }
    // All of them in one run: one that is not the default shows in what is printed.
    assert.deepEqual(await json(stated.join(' ')), await json(''), `${command} ${stated.join(' ')}`);
  }
});

test('--within is 2 % unless told', async () => {
  const json = async (more: string) =>
    JSON.parse((await slablab(`verify boot.slt --snapshots ${SNAPSHOTS} ${more} --json`)).out);
  const usual = await json('');
  assert.deepEqual(await json('--within 2'), usual);
  assert.notDeepEqual((await json('--within 0.02')).withinPercent, usual.withinPercent);
});

test('what is advised next never waits for a person to type', () => {
  const { out } = spawnSlablab('info -', 'alloc dentry 100\n');
  assert.match(out, /\n {2}… \| slablab info - --report dentry\n$/);
});

test('lost events are told once', async () => {
  const { out } = await slablab('replay truth/traces/sample-ftrace-overrun.txt.gz');
  assert.equal(out.match(/\blost\b/g)?.length, 1, out);
  assert.match(out, /5,504 events were lost while this was recorded/);
});

test('one number of frees without an allocation, of convert and of replay', async () => {
  const { out: replayed } = await slablab(`replay boot.slt --snapshots ${SNAPSHOTS}`);
  assert.match(converted, /\n1,014 frees are of objects whose/);
  assert.match(replayed, /\n {2}1,014 frees are of objects whose/);
  assert.match(converted, /\n1 free is missing from the trace: its address was handed out again/);
  assert.match(replayed, /; of 5 more nothing is\s+known\./);
});

test('one strategy alone is not said to need least', async () => {
  const { out } = await slablab('compare few.json --strategies slub-dma32');
  assert.match(out, /kmem cache, DMA32 \(SLUB\) needs: /);
});
