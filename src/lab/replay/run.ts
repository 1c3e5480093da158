/**
 * # The replay itself: rows through a machine
 *
 * For each row of a trace one call of the machine, on the row's CPU: that is all, and everything here is about doing nothing else. What a
 * class comes from is looked up once (build.ts), a live object is found by its slot, and what is measured on the way follows from one
 * comparison a row: did the cache's number of slabs change?
 *
 *  - ALLOC with OVER first frees what the slot held: it was freed before, without an event, and this is the last moment.
 *  - FREE with UNSEEN is of something whose allocation is not in the trace: unseen.ts says what is freed. kfree does not say of which
 *    cache; it is counted.
 *  - Blocks of pages that are a slab's own are the machine's business; others are allocated and freed as the rows say.
 *  - With SLAB the machine's clock follows the trace's, for its reapers come by time.
 *  - Objects that get no memory are counted; their frees free nothing.
 *
 * The rows are cut into pieces where something else is due: a point of the series, a stop of the caller's, the end of a chunk.
 *
 * A run can be left at any row and gone on with. `save` is what it knows beside the machine's ledger and the arrays of its state: whoever
 * puts all of that back has the run as it was (look/checkpoints.ts).
 */
import { type Gfp, NO_PFN, type Pfn, type PhysAddr } from '../../base/index.js';
import { __GFP, C_NR_SLABS, CACHE_WORDS, GFP_KNOWN_BITS } from '../../machine/index.js';
import type { KmemCache, Machine } from '../../slab/index.js';
import {
  AGAIN,
  GREW,
  LARGE_PAGES,
  OP,
  OP_MASK,
  OVER,
  SLAB_PAGES,
  type Trace,
  type TraceChunk,
  type TraceColumn,
  UNSEEN,
} from '../../trace/index.js';
import type { BuiltMachine } from './build.js';
import type { Inferred, Stock } from './history.js';
import {
  createMeasure,
  LEAST_REQUESTED,
  type LevelsRecorder,
  type Measure,
  type MeasureSave,
  MOST_REQUESTED,
  PEAK_REQUESTED,
  PEAK_ROW,
  REQUESTED,
} from './measure.js';
import { createUnseen, type UnseenCounts, type UnseenSave } from './unseen.js';

interface RunOptions {
  readonly trace: Trace;
  readonly built: BuiltMachine;
  readonly stock: Stock;
  /** Rows, ascending: `onStop` is called in front of each, with its place in this list. */
  readonly stops?: readonly number[];
  readonly onStop?: (stop: number) => void;
  /** Rows to replay; all unless told. */
  readonly rows?: number;
  /** Called with what must have happened without an event (unseen.ts). For runs over the machine as it was recorded. */
  readonly learn?: ((found: Inferred) => void) | undefined;
  /** Called now and then with the rows done. */
  readonly onProgress?: ((rows: number) => void) | undefined;
}

/** A run at some row. */
export interface Run {
  /** The row that comes next. */
  readonly row: number;
  /** Of now: its arrays are the run's own. */
  readonly state: RunState;
  /** Replays the rows up to this one, no further than the run's last. */
  advance(to: number): void;
  /** All rows are done: nothing is measured any more, but by recorders. Rows may still be gone through again. */
  end(): RunState;
  /** The observer of all that changes from here on, if there is one. */
  record(recorder: LevelsRecorder | undefined): void;
  save(): RunSave;
  restore(save: RunSave): void;
}

/** A run beside its ledger and the arrays of its state. */
export interface RunSave {
  readonly row: number;
  readonly counts: Readonly<OwnCounts>;
  readonly measure: MeasureSave;
  readonly unseen: UnseenSave;
  readonly stop: number;
  readonly nextTick: number;
  readonly toldPages: number;
}

/** What a run leaves behind, beside its machine. */
export interface RunState {
  readonly rows: number;
  /** By slot: the object's address, or 0. Of pages ± the first pfn + 1. */
  readonly addresses: Float64Array;
  /** By slot: its class, and the row of its allocation. */
  readonly slotClass: Int32Array;
  readonly slotRow: Float64Array;
  readonly counts: RunCounts;
  readonly measure: Measure;
}

/** What became of the rows of a trace. */
export interface RunCounts extends UnseenCounts {
  allocs: number;
  frees: number;
  /** Objects and blocks of pages that got no memory. */
  failed: number;
  failedPages: number;
  /** Freed before their slot was used again. */
  implied: number;
  /** Frees without an allocation, of objects that nothing is known of. */
  unknown: number;
}

/** What is counted here. */
type OwnCounts = Omit<RunCounts, keyof UnseenCounts>;

const NO_COUNTS: OwnCounts = { allocs: 0, frees: 0, failed: 0, failedPages: 0, implied: 0, unknown: 0 };

const NOWHERE = 0;
const CACHE = 1;
const STRATEGY = 2;
const PAGES = 3;

/** Stands for the address of what another event tells of. Of whole pages too: no page frame has half a number. */
const ELSEWHERE = 0.5;

/** SLAB's reapers come at ticks of 4 ms. */
const TICK_NS = 4e6;

const COLUMNS: readonly TraceColumn[] = ['op', 'cpu', 'class', 'slot'];

/** Replays a trace from its first row to its last. */
export function replayRows(options: RunOptions): RunState {
  const run = createRun(options);
  run.advance(options.rows ?? options.trace.rows);
  return run.end();
}

/** A run in front of a trace's first row. */
export function createRun(options: RunOptions): Run {
  const { trace, built, stock, stops = [], rows = trace.rows } = options;
  const { machine, replaysPages } = built;
  const { cpus } = machine;
  const cacheWords = machine.ledger.cache;
  const { reaper } = machine.kernel.has;
  const measure = createMeasure(built, rows, stock);
  const { slabsOf, sums } = measure;
  const counts: OwnCounts = { ...NO_COUNTS };

  const tables = classTables(trace, built);
  const { kinds, caches, strategies, orders, areTold, cacheIds, slabWords, gfps, bytes } = tables;
  // A division in front of each row would cost as much as the rest of it.
  const cpuOf = Uint16Array.from({ length: trace.cpus }, (_, cpu) => cpu % cpus);
  // By slot.
  const addresses = new Float64Array(trace.slots);
  const slotClass = new Int32Array(trace.slots);
  const slotRow = new Float64Array(trace.slots);
  /** The row of, or behind, what happens without an event. */
  let rowOfUnseen = 0;
  const changed = (cache: KmemCache) => {
    const slabs = cacheWords[cache.id * CACHE_WORDS + C_NR_SLABS]!;
    if (slabs !== slabsOf[cache.id]) measure.slabsChanged(cache.id, slabs, rowOfUnseen);
  };
  const forgotten = (bytesOf: number) => {
    sums[REQUESTED]! -= bytesOf;
  };
  const unseen = createUnseen({ built, stock, changed, forgotten, found: options.learn });
  /** By class: whether the trace tells when its cache takes a slab. */
  const infers = options.learn && inferrable(trace, built);

  /** Blocks of pages that an event told of and that no large kmalloc has claimed yet. */
  let toldPages = 0;

  function requested(more: number, slot: number): void {
    const now = sums[REQUESTED]! + more;
    sums[REQUESTED] = now;
    if (now > sums[MOST_REQUESTED]!) sums[MOST_REQUESTED] = now;
    // Above all while less than the peak is held (measure.ts).
    if (now > sums[PEAK_REQUESTED]!) {
      sums[PEAK_REQUESTED] = now;
      sums[PEAK_ROW] = slotRow[slot]!;
    }
  }

  function allocate(id: number, slot: number, cpu: number): void {
    slotClass[slot] = id;
    const cache = caches[id];
    if (cache === undefined) return allocateElsewhere(id, slot, cpu);
    const address = cache.alloc(gfps[id] as Gfp, cpu);
    addresses[slot] = address;
    if (address === 0) counts.failed++;
    else requested(bytes[id]!, slot);
    const slabs = cacheWords[slabWords[id]!]!;
    if (slabs !== slabsOf[cacheIds[id]!]) measure.slabsChanged(cacheIds[id]!, slabs, slotRow[slot]!);
  }

  function allocateElsewhere(id: number, slot: number, cpu: number): void {
    const strategy = strategies[id];
    if (kinds[id] !== PAGES) addresses[slot] = strategy === undefined ? ELSEWHERE : strategy.alloc(cpu);
    else if (areTold[id] === 1 && toldPages > 0) {
      toldPages--;
      addresses[slot] = ELSEWHERE;
    } else allocatePages(id, slot, gfps[id]! | __GFP.COMP, true);
    if (addresses[slot] !== 0) requested(bytes[id]!, slot);
    if (strategy === undefined) return;
    if (addresses[slot] === 0) counts.failed++;
    measure.objectPagesChanged(slotRow[slot]!);
  }

  function release(slot: number, cpu: number): void {
    const address = addresses[slot]!;
    if (address === 0) return;
    addresses[slot] = 0;
    const id = slotClass[slot]!;
    const left = sums[REQUESTED]! - bytes[id]!;
    sums[REQUESTED] = left;
    if (left < sums[LEAST_REQUESTED]!) sums[LEAST_REQUESTED] = left;
    const cache = caches[id];
    if (cache === undefined) return releaseElsewhere(id, address, cpu);
    cache.free(address as PhysAddr, cpu);
    const slabs = cacheWords[slabWords[id]!]!;
    if (slabs !== slabsOf[cacheIds[id]!]) measure.slabsChanged(cacheIds[id]!, slabs, 0);
  }

  function releaseElsewhere(id: number, address: number, cpu: number): void {
    const order = orders[id]!;
    if (address === ELSEWHERE) return;
    if (kinds[id] === PAGES) {
      machine.freePages((Math.abs(address) - 1) as Pfn, order);
      if (address > 0) measure.otherPagesChanged(-(1 << order));
    } else strategies[id]?.free(address as PhysAddr, cpu);
    if (address < 0 || strategies[id] !== undefined) measure.objectPagesChanged(0);
  }

  /** The address of pages is their first pfn + 1, negative if objects lie in them. */
  function allocatePages(id: number, slot: number, gfp: number, holdObjects: boolean): void {
    const pfn = machine.allocPages(gfp as Gfp, orders[id]!);
    slotClass[slot] = id;
    addresses[slot] = holdObjects ? -(pfn + 1) : pfn + 1;
    if (pfn === NO_PFN) counts.failedPages++;
    else if (holdObjects) measure.objectPagesChanged(slotRow[slot]!);
    else measure.otherPagesChanged(1 << orders[id]!);
  }

  function freeUnseen(id: number, again: boolean, cpu: number, row: number): void {
    rowOfUnseen = row;
    if (kinds[id] === CACHE) unseen.free(caches[id]!, again, cpu);
    else counts.unknown++;
  }

  /** What is neither an object's allocation nor its free. */
  function other(op: number, id: number, slot: number, row: number): void {
    if (!replaysPages || op & SLAB_PAGES) {
      // A slab's pages: the slot holds nothing of ours.
      if ((op & OP_MASK) === OP.PAGE_ALLOC) addresses[slot] = 0;
      return;
    }
    if ((op & OP_MASK) === OP.PAGE_ALLOC) {
      if (op & OVER) release(slot, 0);
      slotRow[slot] = row;
      if (op & LARGE_PAGES) toldPages++;
      allocatePages(id, slot, gfps[id]!, (op & LARGE_PAGES) !== 0);
    } else if ((op & OP_MASK) === OP.PAGE_FREE) {
      if (!(op & UNSEEN)) return release(slot, 0);
      const page = stock.pages.pop();
      if (page === undefined) return;
      machine.freePages(page, 0);
      measure.otherPagesChanged(-1);
    }
  }

  function piece({ first, op, cpu, class: classes, slot }: TraceChunk, from: number, to: number): void {
    let allocs = 0;
    let frees = 0;
    for (let i = from; i < to; i++) {
      const what = op[i]!;
      const kind = what & OP_MASK;
      if (kind === OP.ALLOC) {
        const on = cpuOf[cpu[i]!]!;
        const at = slot[i]!;
        if (what & OVER) {
          counts.implied++;
          release(at, on);
        }
        slotRow[at] = first + i;
        allocs++;
        if (infers !== undefined && infers[classes[i]!] === 1) {
          rowOfUnseen = first + i;
          unseen.infer(caches[classes[i]!]!, first + i, on, (what & GREW) !== 0);
        }
        allocate(classes[i]!, at, on);
      } else if (kind === OP.FREE) {
        const on = cpuOf[cpu[i]!]!;
        if (what & UNSEEN) freeUnseen(classes[i]!, (what & AGAIN) !== 0, on, first + i);
        else {
          frees++;
          release(slot[i]!, on);
        }
      } else if (kind !== OP.NONE) {
        other(what, classes[i]!, slot[i]!, first + i);
      }
    }
    counts.allocs += allocs;
    counts.frees += frees;
  }

  /** With SLAB pieces end where a tick begins. Where else they end is nothing to the clock: it is set by the first row of a tick. */
  let nextTick = Number.NEGATIVE_INFINITY;
  function ticks(chunk: TraceChunk, from: number, to: number): void {
    for (let at = from; at < to; ) {
      const time = chunk.time[at]!;
      if (time >= nextTick) {
        followClock(machine, time);
        // A reaper may have given slabs back.
        measure.objectPagesChanged(chunk.first + at);
        nextTick = (Math.floor(time / TICK_NS) + 1) * TICK_NS;
      }
      let end = at + 1;
      while (end < to && chunk.time[end]! < nextTick) end++;
      piece(chunk, at, end);
      at = end;
    }
  }

  let stop = 0;
  let done = 0;
  let repeatAt = 0;
  const stopHere = () => {
    for (; stop < stops.length && stops[stop]! <= done; stop++) options.onStop?.(stop);
  };
  function pieces(chunk: TraceChunk, from: number, end: number): void {
    for (let at = from; at < end; ) {
      done = chunk.first + at;
      stopHere();
      if (repeatAt <= done) {
        rowOfUnseen = done;
        repeatAt = unseen.repeat(done);
      }
      measure.begin(done, chunk.time[at]!);
      const until = Math.min(measure.pieceEnd, stops[stop] ?? rows, repeatAt) - chunk.first;
      const to = Math.min(Math.max(until, at + 1), end);
      if (reaper) ticks(chunk, at, to);
      else piece(chunk, at, to);
      at = to;
    }
    done = chunk.first + end;
  }

  function advance(given: number): void {
    const last = Math.min(given, rows);
    const wants = (first: number, count: number) => first < last && first + count > done;
    for (const chunk of trace.chunks([...COLUMNS, 'time'], wants)) {
      if (!wants(chunk.first, chunk.rows)) continue;
      pieces(chunk, done - chunk.first, Math.min(chunk.rows, last - chunk.first));
      options.onProgress?.(done);
      if (done >= last) break;
    }
  }

  const stateNow = (): RunState => ({
    rows: done,
    addresses,
    slotClass,
    slotRow,
    counts: { ...counts, ...unseen.counts },
    measure,
  });
  return {
    get row() {
      return done;
    },
    get state() {
      return stateNow();
    },
    advance,
    end() {
      stopHere();
      measure.end();
      return stateNow();
    },
    record: measure.record,
    save: () => ({
      row: done,
      counts: { ...counts },
      measure: measure.save(),
      unseen: unseen.save(),
      stop,
      nextTick,
      toldPages,
    }),
    restore(save) {
      done = save.row;
      ({ stop, nextTick, toldPages } = save);
      Object.assign(counts, save.counts);
      measure.restore(save.measure);
      repeatAt = unseen.restore(save.unseen);
    },
  };
}

/** The machine's clock is the trace's, in milliseconds; it never goes back. */
function followClock(machine: Machine, time: number): void {
  const ahead = Math.floor(time / 1e6) - machine.now;
  if (ahead > 0) machine.advance(ahead);
}

const KIND_OF = { nowhere: NOWHERE, cache: CACHE, strategy: STRATEGY, pages: PAGES } as const;

/** What a row needs to know of its class, by class. */
function classTables(trace: Trace, { routes }: BuiltMachine) {
  const kinds = Uint8Array.from(routes, ({ to }) => KIND_OF[to]);
  const caches = routes.map((route) => (route.to === 'cache' ? route.cache.cache : undefined));
  const strategies = routes.map((route) => (route.to === 'strategy' ? route.strategy : undefined));
  const orders = Uint8Array.from(routes, (route) => (route.to === 'pages' ? route.order : 0));
  const areTold = Uint8Array.from(routes, (route) => (route.to === 'pages' && route.areTold ? 1 : 0));
  const cacheIds = Int32Array.from(routes, (route) => (route.to === 'cache' ? route.cache.cache.id : 0));
  const slabWords = cacheIds.map((id) => id * CACHE_WORDS + C_NR_SLABS);
  const gfps = Int32Array.from(trace.classes, ({ gfp }) => gfp & GFP_KNOWN_BITS);
  // What SLAB asks for itself was not asked for by anybody else; what is left out is told of in a note.
  const bytes = Float64Array.from(trace.classes, ({ bytesReq }, id) =>
    kinds[id] === NOWHERE ? 0 : bytesReq,
  );
  return { kinds, caches, strategies, orders, areTold, cacheIds, slabWords, gfps, bytes };
}

/** By class: 1 if pointers show when its cache takes a slab, for then they do so whenever it does. */
function inferrable(trace: Trace, { routes }: BuiltMachine): Uint8Array {
  const told = new Set<number>();
  const shown = trace.classes.map(({ grew }, id) => {
    const route = routes[id]!;
    if (route.to !== 'cache') return undefined;
    const { id: cache, info } = route.cache.cache;
    if (grew.some(([order]) => order === info.oo.order)) told.add(cache);
    return cache;
  });
  return Uint8Array.from(shown, (cache) => (cache !== undefined && told.has(cache) ? 1 : 0));
}
