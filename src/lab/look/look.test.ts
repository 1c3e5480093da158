import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { runsOf } from '../../base/runs.case.test.js';
import type { Ledger } from '../../machine/index.js';
import {
  createResolver,
  createTextTraceReader,
  detectFormat,
  type TextFormat,
  type TraceChunk,
} from '../../trace/index.js';
import { readSnapshots } from '../evidence/snapshots.js';
import { findPins } from '../replay/pins.js';
import { recordMachine } from '../replay/recorder.case.test.js';
import { prepareReplay, type Recorded, replay } from '../replay/replay.js';
import type { ReplayResult } from '../replay/result.js';
import { type StartedReplay, startReplay } from '../replay/start.js';
import { AS_RECORDED, parseWhatIf } from '../what-if/what-if.js';
import { createLook } from './create-look.js';
import { HOLDER, HOLDER_SHIFT, type Look, type Moment, OBJECT_STATES } from './look.js';

const TRACES = new URL('../../../truth/traces/', import.meta.url);
const unzipped = (name: string) => gunzipSync(readFileSync(new URL(`${name}.gz`, TRACES)));

/** Small, so that a great many replays of it take no time. */
function simulated(options: Partial<Parameters<typeof recordMachine>[0]> = {}): Recorded {
  const { trace, snapshots } = recordMachine({
    seed: 7,
    cpus: 2,
    allocator: 'slub',
    before: 40,
    hidden: 5,
    operations: 4000,
    snapshots: 2,
    ...options,
  });
  return prepareReplay({ trace, snapshots });
}

function booted(name: string): Recorded {
  const text = unzipped(`${name}.txt`);
  const chunks: TraceChunk[] = [];
  const resolver = createResolver({ chunk: (chunk) => chunks.push(chunk) });
  const sink = { strings: resolver.strings, take: resolver.take };
  const reader = createTextTraceReader(detectFormat(name, text) as TextFormat, name, sink);
  reader.write(text);
  reader.end();
  const snapshots = readSnapshots(unzipped(`${name}.snapshots.json`).toString(), name);
  return prepareReplay({ trace: { ...resolver.finish(), chunks: () => chunks }, snapshots });
}

/** A machine that lived through the first rows and no others. */
function fresh({ recorded, whatIf }: Look, row: number): StartedReplay {
  const started = startReplay(recorded, whatIf);
  started.run.advance(row);
  return started;
}

function assertSameLedger(a: Ledger, b: Ledger, about: string): void {
  for (const [name, array] of Object.entries(a)) {
    if (!ArrayBuffer.isView(array)) continue;
    const other = (b as unknown as Record<string, ArrayBufferView>)[name]!;
    const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
      Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
    assert.equal(Buffer.compare(bytes(array), bytes(other)), 0, `${about}: ${name}`);
  }
}

/** The moment is what a fresh replay of so many rows leaves behind, to the last byte of the ledger. */
function assertFresh(look: Look, row: number): Moment {
  const moment = look.at(row);
  const { built, run, stock } = fresh(look, row);
  moment.machine.validate();
  assertSameLedger(moment.machine.ledger, built.machine.ledger, `row ${row}`);
  const pins = findPins({ trace: look.recorded.trace, built, stock, state: run.state });
  assert.deepEqual(moment.pins(pins.length), pins, `row ${row}`);
  return moment;
}

const WHAT_IFS: readonly (readonly string[])[] = [
  [],
  ['allocator=slab'],
  ['slub_debug=FZPU'],
  ['sheaves=16', 'cpus=3'],
  ['slub_max_order=0', 'sim_192.size=250'],
];

test('a moment is what a fresh replay of its rows leaves behind, whatever was looked at before', () => {
  const recorded = simulated();
  for (const settings of WHAT_IFS) {
    // Room for few copies: most of them are given up again.
    const look = createLook(recorded, parseWhatIf(settings), { copyBytes: 2 ** 20 });
    const rows = fc.array(fc.integer({ min: 0, max: look.rows }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(rows, (visited) => {
        for (const row of visited) assertFresh(look, row);
        // There and back: what an event does is taken back, and steps are as good as jumps.
        const row = Math.max(visited[0]! - 1, 0);
        look.at(row).event();
        assertFresh(look, row);
      }),
      { seed: 11, numRuns: runsOf(1) },
    );
  }
});

test('a strategy keeps its own books: its moments begin anew', () => {
  const look = createLook(simulated(), parseWhatIf(['sim_192.strategy=page_frag-32k']));
  for (const row of [1000, 999, look.rows]) {
    look.at(row).event();
    assertFresh(look, row);
  }
});

for (const name of ['boot-find-public', 'boot-find-slab-public']) {
  test(`${name}: moments of a real boot, and the result is what replay finds`, () => {
    const recorded = booted(name);
    const look = createLook(recorded, AS_RECORDED);
    assert.deepEqual(look.result, replay(recorded, AS_RECORDED));
    assertFresh(look, look.rows >> 1);
    assertFresh(look, (look.rows >> 1) - 3000);
    assertAgrees(look.at(look.rows), look.result);
  });
}

/** What a moment tells adds up, and at the end it is what the result says. */
function assertAgrees(moment: Moment, result?: ReplayResult): void {
  const { machine } = moment;
  const { pageSize } = machine.kernel;
  const sum = <T>(list: readonly T[], value: (each: T) => number) =>
    list.reduce((total, each) => total + value(each), 0);
  const caches = moment.caches();
  const zones = moment.zones();
  for (const zone of zones) assert.equal(zone.free + zone.slabs + zone.pages, zone.managed, zone.name);
  assert.equal(
    sum(caches, ({ bytes }) => bytes),
    pageSize * sum(zones, ({ slabs }) => slabs),
  );
  for (const cache of result?.caches ?? []) {
    const at = caches.find(({ name }) => name === cache.name)!;
    for (const key of ['names', 'size', 'order', 'slabs', 'bytes', 'live', 'objects', 'fullness'] as const)
      assert.deepEqual(at[key], cache[key], `${cache.name}: ${key}`);
    assert.equal(at.recoverable, cache.recoverable);
    const detail = moment.cache(cache.name)!;
    assert.equal(
      sum(detail.sites, ({ live }) => live),
      cache.live,
      cache.name,
    );
    assert.equal(
      sum(detail.histogram, (count) => count),
      cache.slabs,
    );
    assert.equal(
      sum(
        detail.histogram.map((count, live) => count * live),
        (live) => live,
      ),
      cache.live,
    );
    assert.equal(
      sum(detail.sites, ({ allocs }) => allocs),
      cache.allocs,
    );
  }
  // As many cells as there are frames, and some that hold many each.
  for (const cells of [machine.ledger.shape.frames, 997]) {
    const map = moment.frames(0, machine.ledger.shape.frames, cells);
    assert.ok(map.holder.length <= cells);
    const frames = (cell: number) => Math.min(map.framesPerCell, map.to - cell * map.framesPerCell);
    const free = map.free.reduce((total, share, cell) => total + share * frames(cell), 0);
    assert.ok(Math.abs(free - sum(zones, (zone) => zone.free)) < 1, `${free} frames free`);
    const taken = map.used.reduce((total, share, cell) => total + share * frames(cell), 0);
    assert.ok(Math.abs(taken - sum(zones, (zone) => zone.slabs + zone.pages)) < 1, `${taken} frames taken`);
    if (cells === 997) continue;
    const slabs = map.holder.reduce(
      (total, code) => total + (code >>> HOLDER_SHIFT === HOLDER.SLAB ? 1 : 0),
      0,
    );
    assert.equal(
      slabs,
      sum(zones, (zone) => zone.slabs),
    );
    const used = map.use.reduce((total, use) => total + use, 0) * pageSize;
    const live = sum(caches, (cache) => cache.live * cache.size);
    assert.ok(Math.abs(used - live) < pageSize, `${used} bytes of ${live} are drawn as live`);
  }
  for (const { name, slabs } of caches.filter(({ live }) => live > 0).slice(0, 40)) {
    for (const { frame, live, serial } of moment.cache(name)!.slabs.slice(0, Math.min(slabs, 3))) {
      const slab = moment.slabOf(frame)!;
      assert.deepEqual([slab.live, slab.serial], [live, serial], name);
      assert.equal(moment.frame(frame).what, 'slab');
      assert.equal(moment.frame(frame).cache, slab.cache);
      const listed = [...slab.cpuList, ...slab.slabList];
      assert.equal(new Set(listed).size, listed.length);
      for (const { index, state, place, by } of slab.objects) {
        assert.equal(state === 'free', listed.includes(index), `${name} ${index}`);
        assert.equal(state === 'free', place !== null);
        if (by !== null) assert.ok(state === 'live' && by.row < moment.row && by.age >= 0);
      }
    }
  }
}

test('each live object is told with the row that allocated it', () => {
  const recorded = simulated({ before: 0, hidden: 0 });
  const look = createLook(recorded, AS_RECORDED);
  const { trace } = recorded;
  // A model of its own: who lives where follows from the events that the look itself tells.
  const live = new Map<number, number>();
  for (let row = 0; row < 400; row++) {
    const event = look.at(row).event()!;
    if (event.kind === 'alloc') {
      assert.ok(!live.has(event.address), 'what is live is not given again');
      live.set(event.address, row);
      assert.match(
        event.words,
        new RegExp(`^make_${event.cache}\\+0x10 .* allocates .* from ${event.cache}: object`),
      );
    } else if (event.kind === 'free') {
      assert.equal(event.by?.row, live.get(event.address), event.words);
      live.delete(event.address);
    }
    assert.ok(event.slabs === 0 || event.pages !== 0 || event.kind === 'free');
  }
  const moment = look.at(400);
  const seen = new Map<number, number>();
  for (const { name } of moment.caches())
    for (const { frame } of moment.cache(name)!.slabs)
      for (const { address, by } of moment.slabOf(frame)!.objects) if (by !== null) seen.set(address, by.row);
  assert.deepEqual(seen, live);
  assert.equal(look.at(trace.rows).event(), undefined);
});

test('the slabs that a pin tells of are as many as it says, each sparse and with such an object', () => {
  // In slabs of large pages even many objects are few.
  const recorded = simulated();
  const moment = createLook(recorded, parseWhatIf(['page_size=64K', 'slub_min_order=2'])).at(1500);
  const pins = moment.pins(1000);
  assert.ok(pins.length > 2 && pins.some(({ site }) => site === ''), 'of before the trace, and of it');
  for (const pin of pins) {
    const slabs = moment.pinned(pin, 1000);
    // Objects that came without an event are nobody's, and in no pin.
    if (pin.site === '') assert.ok(slabs.length >= pin.slabs);
    else assert.equal(slabs.length, pin.slabs, `${pin.cache} ${pin.site}`);
    for (const { frame, live, objects } of slabs) {
      const slab = moment.slabOf(frame)!;
      assert.ok(slab.sparse && slab.live === live && slab.objects.length === objects);
      const holds = slab.objects.some(
        ({ state, by }) => state === 'live' && (by === null ? '' : by.site.split('+')[0]) === pin.site,
      );
      assert.ok(holds, `${pin.cache} ${pin.site}`);
    }
    assert.equal(moment.pinned(pin, 1).length, Math.min(slabs.length, 1));
  }
});

test('a map of slabs has each slab of a stretch once, with what its objects are', () => {
  const moment = createLook(simulated(), AS_RECORDED).at(3000);
  const { frames } = moment.machine.ledger.shape;
  const all = moment.slabs(0, frames);
  assert.equal(
    all.length,
    moment.caches().reduce((sum, { slabs }) => sum + slabs, 0),
  );
  for (const brief of all.slice(0, 60)) {
    const slab = moment.slabOf(brief.firstFrame)!;
    assert.deepEqual(
      [...brief.states].map((state) => OBJECT_STATES[state]),
      slab.objects.map(({ state }) => state),
    );
    const { cache, serial, offset, size, live } = brief;
    assert.deepEqual(
      [cache, serial, offset, size, live],
      [slab.cache, slab.serial, slab.offset, slab.size, slab.live],
    );
    const last = brief.firstFrame + brief.frames - 1;
    assert.deepEqual(moment.slabs(last, last + 1), [brief], 'from any of its frames');
  }
});

test('what is asked of a moment that is over, of a row or a frame that there is none of, is refused', () => {
  const look = createLook(simulated({ operations: 500 }), AS_RECORDED);
  const first = look.at(10);
  look.at(11);
  assert.throws(() => first.caches(), /the moment of row 10 is over/);
  for (const row of [-1, 0.5, look.rows + 1]) assert.throws(() => look.at(row), /whole number from 0 to/);
  const moment = look.at(5);
  assert.throws(() => moment.frame(-1), /frames of this machine are 0 to/);
  assert.throws(() => moment.slabOf(1e9), /frames of this machine are 0 to/);
  assert.equal(moment.cache('no such cache'), undefined);
});

test('a step goes to the next or the last event of a cache', () => {
  const recorded = simulated({ operations: 1000 });
  const look = createLook(recorded, AS_RECORDED);
  const wanted = { cache: 'sim_192' };
  const forward: number[] = [];
  for (let row = look.seek(-1, 1, wanted); row !== undefined; row = look.seek(row, 1, wanted))
    forward.push(row);
  const back: number[] = [];
  for (let row = look.seek(look.rows, -1, wanted); row !== undefined; row = look.seek(row, -1, wanted))
    back.push(row);
  assert.deepEqual(back.reverse(), forward);
  const { allocs, frees } = look.result.caches.find(({ name }) => name === 'sim_192')!;
  assert.equal(forward.length, allocs + frees);
  assert.equal(look.at(forward[3]!).event()!.cache, 'sim_192');
});
