/** Traces that were answered wrongly once (truth/cases), and what is right of them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createResolver, createTextTraceReader, type Trace, type TraceChunk } from '../../trace/index.js';
import { AS_RECORDED, parseWhatIf } from '../what-if/what-if.js';
import { prepareReplay, replay } from './replay.js';
import type { ReplayResult } from './result.js';
import { cacheLabel, machineParts, resultWords } from './words.js';

const CASES = new URL('../../../truth/cases/', import.meta.url);

function readTrace(text: string | Uint8Array, file = 'case.txt'): Trace {
  const chunks: TraceChunk[] = [];
  const resolver = createResolver({ chunk: (chunk) => chunks.push(chunk) });
  const reader = createTextTraceReader('ftrace', file, resolver);
  reader.write(typeof text === 'string' ? new TextEncoder().encode(text) : text);
  reader.end();
  return { ...resolver.finish(), chunks: () => chunks };
}

const caseOf = (path: string) => readTrace(readFileSync(new URL(path, CASES)), path);

function replayed(trace: Trace, settings: readonly string[] = []): ReplayResult {
  const whatIf = settings.length === 0 ? AS_RECORDED : parseWhatIf(settings);
  return replay(prepareReplay({ trace }), whatIf, { onEnd: (machine) => machine.validate() });
}

/** Label, bytes and shape of each cache, with its slabs and live objects at the end. */
const told = ({ caches }: ReplayResult) =>
  caches.map(
    (cache) =>
      `${cacheLabel(cache)} ${cache.size} ${cache.objectsPerSlab}/2^${cache.order} ${cache.slabs} slabs ${cache.live} live`,
  );

test('sizes-of-the-trace: what the events say of an object holds, not what a preset says of its name', () => {
  const result = replayed(caseOf('sizes-of-the-trace/radix.txt'));
  assert.deepEqual(told(result), ['radix_tree_node 584 28/2^2 3 slabs 42 live']);
  assert.deepEqual([result.peak.bytes, result.end.bytes], [49152, 49152]);
  assert.deepEqual([result.peak.requested, result.end.requested], [84 * 576, 42 * 576]);
  assert.match(result.notUnderstood.join('\n'), /the events hold: radix_tree_node 584 \(200\)/);
  for (const memory of [undefined, 2 ** 30]) {
    const trace = caseOf('sizes-of-the-trace/radix.txt');
    const other = replay(prepareReplay({ trace, kernel: '6.12', ...(memory && { memory }) }), AS_RECORDED);
    assert.deepEqual(told(other), told(result));
  }
});

test('guessed-names: what only a function tells is likely, is marked, and the reason is told', () => {
  const result = replayed(caseOf('guessed-names/names.txt'));
  assert.deepEqual(told(result), [
    'radix_tree_node? 584 28/2^2 1 slabs 28 live',
    'lsm_file_cache? 16 256/2^0 1 slabs 20 live',
  ]);
  const words = result.notUnderstood.join('\n');
  assert.match(words, /radix_tree_node\? is only likely, .*28 objects: xas_alloc is known to allocate from/);
  assert.match(words, /lsm_file_cache\? is only likely, .* 20 objects: security_file_alloc is known to/);
  assert.match(resultWords(result).join('\n'), /lsm_file_cache\? \(security_file_alloc/);
  assert.deepEqual(
    result.caches.map(({ how, isCertain }) => [how, isCertain]),
    [
      ['function', false],
      ['function', false],
    ],
  );
});

test('a machine that was made up is marked in every part of it, and what to say otherwise is told', () => {
  const result = replayed(caseOf('guessed-names/names.txt'));
  assert.deepEqual(machineParts(result), ['Linux 6.1?, SLUB?', '4 CPUs', '6.00 GiB?']);
  assert.match(
    result.notUnderstood.join('\n'),
    /Linux 6\.1, SLUB, 6\.00 GiB of memory are assumed \(--kernel,/,
  );
  const trace = caseOf('guessed-names/names.txt');
  const said = replay(
    prepareReplay({ trace, kernel: '6.12', allocator: 'slub', memory: 2 ** 30, cpus: 2 }),
    AS_RECORDED,
  );
  assert.deepEqual(machineParts(said).slice(0, 2), ['Linux 6.12, SLUB', '2 CPUs']);
  assert.doesNotMatch(said.notUnderstood.join('\n'), /assumed/);
});

test('name-in-alloc-event: the allocation names its cache', () => {
  const result = replayed(caseOf('name-in-alloc-event/alloc-name.txt'));
  assert.deepEqual(told(result), ['widget 640 12/2^1 1 slabs 12 live']);
  assert.deepEqual([result.caches[0]!.how, result.end.requested], ['event', 12 * 632]);
});

test('nameless-free: a free without a name is of the object between those of its page, or of nobody', () => {
  const one = replayed(caseOf('nameless-free/one.txt'));
  assert.deepEqual(told(one), ['?widget_new/280 280 14/2^0 1 slabs 13 live']);
  assert.deepEqual([one.peak.bytes, one.end.bytes, one.counts.unknown], [4096, 4096, 0]);
  const drags = replayed(caseOf('nameless-free/drags.txt'));
  assert.deepEqual(told(drags), ['?widget_new/24 24 170/2^0 1 slabs 20 live']);
  assert.deepEqual([drags.end.bytes, drags.end.requested, drags.counts.unknown], [4096, 480, 1]);
  assert.match(drags.notUnderstood.join('\n'), /what was freed of \?other_put\/\?: no slab was made/);
  for (const { notUnderstood, caches } of [one, drags]) {
    assert.ok(
      notUnderstood.every((words) => /\w{3}.*\.$/.test(words)),
      notUnderstood.join('\n'),
    );
    assert.ok(caches.every(({ name }) => name !== ''));
  }
});

test('stale-large-block: a block that is gone gives its size to nobody', () => {
  const result = replayed(caseOf('stale-large-block/stale.txt'));
  assert.deepEqual(told(result), ['?widget_new/24 24 170/2^0 1 slabs 20 live']);
  assert.deepEqual([result.peak.bytes, result.end.bytes, result.end.requested], [65536, 4096, 480]);
  assert.deepEqual([result.peak.requested, result.peak.row], [42284, 0]);
});

test('asked-at-the-peak: the peak is the event at which most was asked for while it was held, with its own time and sum', () => {
  const trace = caseOf('asked-at-the-peak/full-page.txt');
  for (const settings of [[], ['cpu_partial=0'], ['cpus=1']]) {
    const { peak } = replayed(trace, settings);
    const [chunk] = trace.chunks();
    assert.deepEqual([peak.bytes, peak.requested, peak.row], [4096, 64 * 60, 63], settings.join(' '));
    assert.equal(peak.time, chunk!.time[63]);
  }
});

const line = (at: number, rest: string, cpu = 0) =>
  `  task-1 [${String(cpu).padStart(3, '0')}] ..... ${(at / 1e6).toFixed(6)}: ${rest}`;
const alloc = (at: number, bytes: number, more = '', distance = bytes, cpu = 0) =>
  line(
    at,
    `kmem_cache_alloc: call_site=make_it+0x1/0x2 ptr=${(0xffff888100000000n + BigInt(at) * 0x10000n).toString(16)} ` +
      `${more}bytes_req=${bytes} bytes_alloc=${distance} gfp_flags=GFP_KERNEL node=-1 accounted=false`,
    cpu,
  );

test('one odd line makes no CPUs: they are those that have events enough, and a note tells of the others', () => {
  const usual = Array.from({ length: 40 }, (_, i) => alloc(i, 64, '', 64, i % 2));
  const sane = replayed(readTrace(usual.join('\n')));
  const odd = replayed(
    readTrace([...usual.slice(0, 20), alloc(99, 64, '', 64, 60000), ...usual.slice(20)].join('\n')),
  );
  assert.deepEqual([sane.machine.cpus, odd.machine.cpus], [2, 2]);
  assert.equal(odd.peak.bytes, sane.peak.bytes);
  assert.match(odd.notUnderstood.join('\n'), /Too few events name CPU 60000 \(1 event\) to believe/);
  // A machine whose work is all on a high CPU has that CPU.
  const high = replayed(readTrace(Array.from({ length: 40 }, (_, i) => alloc(i, 64, '', 64, 63)).join('\n')));
  assert.equal(high.machine.cpus, 64);
  const few = replayed(readTrace([...usual, alloc(77, 64, '', 64, 5)].join('\n')));
  assert.equal(few.machine.cpus, 6);
});

test('one name with two distances is two caches, and what was asked for fits into each', () => {
  const lines = Array.from({ length: 30 }, (_, i) =>
    i % 3 === 0 ? alloc(i, 200, 'name=twin ') : alloc(i, 100, 'name=twin ', 104),
  );
  assert.deepEqual(told(replayed(readTrace(lines.join('\n')))).sort(), [
    'twin 104 39/2^0 1 slabs 20 live',
    'twin/200 200 20/2^0 1 slabs 10 live',
  ]);
});

test('SLAB is known by its own functions', () => {
  const own = line(
    1,
    'kmem_cache_alloc: call_site=cache_grow_begin+0x1/0x2 ptr=ffff888100900000 bytes_req=32 bytes_alloc=32 gfp_flags=GFP_KERNEL',
  );
  const { machine } = replayed(readTrace([own, alloc(2, 64), alloc(3, 64)].join('\n')));
  assert.deepEqual([machine.allocator, machine.evidence.allocator], ['slab', 'trace']);
});
