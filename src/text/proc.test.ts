/**
 * /proc/slabinfo, buddyinfo and zoneinfo, as they were recorded and as a machine writes them. The samples are trimmed from what was read
 * beside two recorded traces of Linux 6.1.192, boot-find and boot-find-slab.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { GIB, InputError, MIB, type Pfn } from '../base/index.js';
import { GFP, type ZoneName, type ZoneView } from '../machine/index.js';
import { Machine, SLAB } from '../slab/index.js';
import {
  buddyinfoRows,
  formatBuddyinfo,
  formatSlabinfo,
  formatZoneinfo,
  parseBuddyinfo,
  parseSlabinfo,
  slabinfoRows,
  slabPages,
  zoneinfo,
} from './proc.js';

function sample(name: string): string {
  return readFileSync(new URL(`../../src/text/samples/${name}.txt`, import.meta.url), 'utf8');
}

test('a recorded slabinfo is read and written again, of SLUB and of SLAB', () => {
  for (const name of ['slabinfo-6.1-slub', 'slabinfo-6.1-slab']) {
    const text = sample(name);
    assert.equal(formatSlabinfo(parseSlabinfo(text, name)), text);
  }
  const [, , , , , dentry] = parseSlabinfo(sample('slabinfo-6.1-slub'), 'x');
  assert.deepEqual(dentry, {
    name: 'dentry',
    activeObjs: 4782,
    numObjs: 4830,
    objSize: 192,
    objPerSlab: 21,
    pagesPerSlab: 1,
    limit: 0,
    batchCount: 0,
    sharedFactor: 0,
    activeSlabs: 230,
    numSlabs: 230,
    sharedAvail: 0,
  });
  const [, , slab] = parseSlabinfo(sample('slabinfo-6.1-slab'), 'x');
  assert.deepEqual([slab!.limit, slab!.batchCount], [120, 60]);
});

test('a name with blanks, statistics behind a line, and Windows lines are read', () => {
  const [head, names, line] = sample('slabinfo-6.1-slub').split('\n');
  const wide = line!.replace('9p-fcall-cache-1', 'my cache 7');
  const text = [`${head} (statistics)`, names, `${wide} : globalstat 1 2 3 : cpustat 4`].join('\r\n');
  assert.deepEqual(
    parseSlabinfo(text, 'x').map(({ name, objSize }) => [name, objSize]),
    [['my cache 7', 512000]],
  );
});

test('what is no slabinfo is an error with its line', () => {
  const lines = sample('slabinfo-6.1-slub').split('\n');
  for (const [change, where, message] of [
    [(l: string[]) => l.with(0, 'slabinfo - version: 1.1'), 1, /expected 'slabinfo - version: 2\.1'/],
    [(l: string[]) => l.with(1, ''), 2, /expected the names of the columns.*the line is empty/],
    [(l: string[]) => l.with(4, l[4]!.replace(' : tunables', '')), 5, /expected a name with 5 numbers/],
    [(l: string[]) => l.with(5, l[5]!.replace(/0$/, 'x')), 6, /there stands '/],
    [() => [], 1, /the line is empty/],
  ] as const) {
    assert.throws(
      () => parseSlabinfo(change(lines).join('\n'), 'my.txt'),
      (error) => error instanceof InputError && error.line === where && message.test(error.message),
      String(message),
    );
  }
});

test('a recorded buddyinfo is read and written again', () => {
  const text = sample('buddyinfo-6.1');
  const rows = parseBuddyinfo(text, 'x');
  assert.equal(formatBuddyinfo(rows), text);
  assert.deepEqual(rows[0], { node: 0, zone: 'DMA', free: [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3] });
  assert.throws(
    () => parseBuddyinfo('Node 0, zone DMA\n', 'b.txt'),
    /^InputError: b\.txt:1: expected 'Node 0/,
  );
});

test('slabinfo counts as SLUB does, newest cache first', () => {
  const machine = Machine.create({ memory: 64 * MIB, cpus: 4, slubNomerge: true });
  const older = machine.kmemCacheCreate('older', 1024)!;
  machine.kmemCacheCreate('a_name_of_more_than_17', 64);
  const objects = older.allocBulk(33);
  older.free(objects[0]!);
  older.shrink();
  const [version, , newest, oldest] = formatSlabinfo(slabinfoRows(machine)).split('\n');
  assert.equal(version, 'slabinfo - version: 2.1');
  assert.equal(
    newest,
    'a_name_of_more_than_17      0      0     64   64    1 : tunables    0    0    0 : slabdata      0      0      0',
  );
  assert.equal(
    oldest,
    'older                 32     48   1024   16    4 : tunables    0    0    0 : slabdata      3      3      0',
  );
  older.alloc(undefined, 3);
  assert.equal(slabinfoRows(machine)[1]!.activeObjs, 48, 'what a CPU holds counts as used');
});

test('buddyinfo has the zones with memory', () => {
  const machine = Machine.create({ memory: GIB });
  const [dma, ...others] = formatBuddyinfo(buddyinfoRows(machine)).split('\n');
  assert.equal(dma, `${sample('buddyinfo-6.1').split('\n')[0]}`);
  assert.match(others.join('\n'), /^Node 0, zone {4}DMA32 ( +\d+){11} \n$/);
});

/** The lines of the recorded zoneinfo that a machine can know. */
function knownLines(text: string): string[] {
  const known =
    /^(Node| {2}per-node| {2}pages free| {2}start_pfn)|^ {8}(min|low|high|spanned|present|managed|protection)|^ {6}nr_(slab_|free_pages)/;
  return text.split('\n').filter((line) => known.test(line));
}

test('zoneinfo is the recorded one without the lines that a machine has no state for', () => {
  const zone = (
    name: ZoneName,
    [startPfn, endPfn, present, managed, free]: readonly number[],
    [min, low, high]: readonly number[],
    lowmemReserve: readonly number[],
  ): ZoneView => ({
    name,
    startPfn: startPfn as Pfn,
    endPfn: endPfn as Pfn,
    present: present!,
    managed: managed!,
    free: free!,
    peakTaken: 0,
    min: min!,
    low: low!,
    high: high!,
    lowmemReserve,
    freeBlocks: [],
  });
  const zones = [
    zone('DMA', [0, 4096, 3998, 3840, 3840], [6, 9, 12], [0, 2971, 5934]),
    zone('DMA32', [4096, 1048576, 782304, 762490, 760649], [1232, 1992, 2752], [0, 0, 2962]),
    zone('Normal', [1048576, 1835008, 786432, 758526, 742360], [1229, 1987, 2745], [0, 0, 0]),
  ];
  const ours = formatZoneinfo(zones, { reclaimable: 826, unreclaimable: 1146 });
  assert.deepEqual(ours.trimEnd().split('\n'), knownLines(sample('zoneinfo-6.1')));
});

test('zoneinfo has empty zones too, and pages in slabs by whether they can be reclaimed', () => {
  const machine = Machine.create({ memory: GIB, cpus: 4, slubNomerge: true });
  machine.kmemCacheCreate('inodes', 1024, { flags: SLAB.RECLAIM_ACCOUNT })!.allocBulk(17);
  machine.kmemCacheCreate('other', 64)!.alloc();
  machine.allocPages(GFP.KERNEL, 3);
  assert.deepEqual(slabPages(machine), { reclaimable: 8, unreclaimable: 1 });
  const text = zoneinfo(machine);
  assert.match(text, /^Node 0, zone {6}DMA\n {2}per-node stats\n {6}nr_slab_reclaimable 8\n/);
  assert.match(
    text,
    /\nNode 0, zone {3}Normal\n {2}pages free {5}0\n(.*\n){6} {8}protection: \(0, 0, 0, 0\)\nNode/,
  );
  const free = machine.zones()[1]!.managed - 8 - 1 - 8;
  assert.match(text, new RegExp(`zone {4}DMA32\\n {2}pages free {5}${free}\\n`));
});
