/** What a resolver counts on the way, and what it looks up at the end. */
import type { EventBatch, judgePointers, ResolveReport, Strings, TraceMark } from '../batch/index.js';
import { countIn } from './class-table.js';
import { createPointerTable, NONE, type PointerTable } from './pointer-table.js';
import { pageOf } from './slab-pages.js';

/** Markers kept; a program that prints by the million is no place marker. */
const MARKS_MAX = 100_000;
/** Pointers of unseen kfrees that are counted one by one. */
const UNSEEN_POINTERS_MAX = 1 << 16;
/** Frees without an allocation from which a pointer counts as ZERO_SIZE_PTR's hash. */
const ZERO_SIZE_FREES = 3;
/** As many as a batch's column can name. */
const CPUS_MAX = 1 << 16;
/** Of these events, or of an eighth of all, nobody says that they are one odd line. */
const EVENTS_OF_A_CPU = 4;
/** CPUs that a machine may have without a word. */
const USUAL_CPUS = 4;
/** Linux has no more, however it is built. */
const CPUS_OF_LINUX = 8192;
const ODD_CPUS_TOLD = 100;

interface ResolveTally {
  allocs: number;
  frees: number;
  failed: number;
  freesOfNothing: number;
  mixed: number;
  pageAllocs: number;
  pageFrees: number;
  pagesFailed: number;
  pagesOver: number;
  pagesUnseen: number;
  pagesSplit: number;
  livePages: number;
  slabBlocks: number;
  lost: number;
  readonly cpus: number;
  readonly marks: readonly TraceMark[];
  /** An implied free, by the function that had allocated what was freed. */
  over(site: number): void;
  /** A free without an allocation, by its name or function. */
  unseen(who: number, again: boolean): void;
  unseenKfree(low: number, high: number): void;
  mark(mark: TraceMark): void;
  times(batch: EventBatch, from: number, count: number): void;
  report(end: TallyEnd): ResolveReport;
}

interface TallyEnd {
  readonly rows: number;
  readonly live: number;
  readonly peakLive: number;
  /** What the pointers of allocations look like. */
  readonly look: ReturnType<typeof judgePointers>;
  readonly livePageBlocks: number;
  readonly pageSize: number;
  readonly strings: Strings;
}

export function createResolveTally(): ResolveTally {
  const overBy = new Map<number, number>();
  const unseenBy = new Map<number, number>();
  const marks: TraceMark[] = [];
  const lastTimes: number[] = [];
  const rowsOn = new Uint32Array(CPUS_MAX);
  /** How often kfree got a pointer that nobody allocated. */
  const kfreed = createPointerTable(64);
  let unseenAgain = 0;
  let marksLeftOut = 0;
  let backwards = 0;
  let firstTime = 0;
  let lastTime = 0;

  const tally: ResolveTally = {
    allocs: 0,
    frees: 0,
    failed: 0,
    freesOfNothing: 0,
    mixed: 0,
    pageAllocs: 0,
    pageFrees: 0,
    pagesFailed: 0,
    pagesOver: 0,
    pagesUnseen: 0,
    pagesSplit: 0,
    livePages: 0,
    slabBlocks: 0,
    lost: 0,
    get cpus() {
      return lastTimes.length;
    },
    marks,
    over: (site) => increment(overBy, site),
    unseen(who, again) {
      increment(unseenBy, who);
      if (again) unseenAgain++;
    },
    unseenKfree(low, high) {
      if (kfreed.size < UNSEEN_POINTERS_MAX || kfreed.get(low, high) !== NONE)
        kfreed.put(low, high, Math.max(kfreed.get(low, high), 0) + 1);
    },
    mark(mark) {
      if (marks.length < MARKS_MAX) marks.push(mark);
      else marksLeftOut++;
    },
    times(batch, from, count) {
      if (lastTimes.length === 0 && count > 0) firstTime = batch.time[from]!;
      for (let i = from; i < from + count; i++) {
        const cpu = batch.cpu[i]!;
        const time = batch.time[i]!;
        rowsOn[cpu]!++;
        while (cpu >= lastTimes.length) lastTimes.push(Number.NEGATIVE_INFINITY);
        if (time < lastTimes[cpu]!) backwards++;
        lastTimes[cpu] = time;
        lastTime = time;
      }
    },
    report(end) {
      const believedCpus = believed(rowsOn.subarray(0, lastTimes.length));
      const times = { firstTime, lastTime, cpus: lastTimes.length, believedCpus, backwards };
      const who = { overBy, unseenBy, unseenAgain, kfreed };
      return reportOf(tally, end, { ...times, ...who, marksLeftOut });
    },
  };
  return tally;
}

/** What a tally keeps to itself. */
interface TallyRest {
  readonly firstTime: number;
  readonly lastTime: number;
  readonly cpus: number;
  readonly believedCpus: NonNullable<ResolveReport['believedCpus']>;
  readonly backwards: number;
  readonly overBy: ReadonlyMap<number, number>;
  readonly unseenBy: ReadonlyMap<number, number>;
  readonly unseenAgain: number;
  readonly kfreed: PointerTable;
  readonly marksLeftOut: number;
}

function reportOf(
  tally: ResolveTally,
  { rows, live, peakLive, look, livePageBlocks, pageSize, strings }: TallyEnd,
  { overBy, unseenBy, unseenAgain, kfreed, marksLeftOut, ...times }: TallyRest,
): ResolveReport {
  const named = (counts: ReadonlyMap<number, number>) =>
    [...counts]
      .sort((a, b) => b[1] - a[1] || a[0] - b[0])
      .map(([text, count]) => [strings.text(text), count] as const);
  return {
    rows,
    ...times,
    objects: {
      allocs: tally.allocs,
      frees: tally.frees,
      failed: tally.failed,
      peakLive,
      live,
      over: sum(overBy),
      overSites: named(overBy),
      freesOfNothing: tally.freesOfNothing,
      unseen: sum(unseenBy),
      unseenAgain,
      unseenBy: named(unseenBy),
      zeroSizeLike: zeroSizeLike(kfreed, look === 'wide' || look === 'narrow'),
      mixed: tally.mixed,
    },
    pages: {
      allocs: tally.pageAllocs,
      frees: tally.pageFrees,
      failed: tally.pagesFailed,
      live: livePageBlocks,
      livePages: tally.livePages,
      over: tally.pagesOver,
      unseen: tally.pagesUnseen,
      split: tally.pagesSplit,
      slabs: tally.slabBlocks,
    },
    lost: tally.lost,
    marksLeftOut,
    pointers: pageSize > 0 || look === 'narrow' ? 'real' : look === 'hashed' ? 'hashed' : 'unclear',
    pageSize,
  };
}

/**
 * How many CPUs a machine had, by the events of each. One on which a few things happened is believed where it is less than twice as high as
 * those that are believed already; the rest is damage until somebody says otherwise.
 */
function believed(rowsOn: ArrayLike<number>): NonNullable<ResolveReport['believedCpus']> {
  let all = 0;
  for (let cpu = 0; cpu < rowsOn.length; cpu++) all += rowsOn[cpu]!;
  const odd: (readonly [number, number])[] = [];
  let cpus = 0;
  for (let cpu = 0; cpu < rowsOn.length; cpu++) {
    const events = rowsOn[cpu]!;
    if (events === 0) continue;
    const isMany = cpu < CPUS_OF_LINUX && (events >= EVENTS_OF_A_CPU || events * 8 >= all);
    if (isMany || cpu < 2 * Math.max(cpus, USUAL_CPUS)) cpus = cpu + 1;
    else if (odd.length < ODD_CPUS_TOLD) odd.push([cpu, events]);
  }
  return { cpus, odd: odd.filter(([cpu]) => cpu >= cpus) };
}

/** Real pointers show ZERO_SIZE_PTR as what it is. */
function zeroSizeLike(kfreed: PointerTable, isReal: boolean): [pointers: number, frees: number] {
  let pointers = 0;
  let frees = 0;
  if (isReal) return [0, 0];
  kfreed.each((_low, _high, times) => {
    if (times < ZERO_SIZE_FREES) return;
    pointers++;
    frees += times;
  });
  return [pointers, frees];
}

function increment(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sum(counts: ReadonlyMap<number, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}

/**
 * For each class that `isCache` names, which others of those have live objects in the same page, and in how many pages: a slab belongs to
 * one cache, and it holds whole pages.
 */
export function neighboursOf(
  pointers: PointerTable,
  classOf: (slot: number) => number,
  isCache: (id: number) => boolean,
  pageSize: number,
): Map<number, Map<number, number>> {
  const shift = Math.log2(pageSize);
  const found = new Map<number, Map<number, number>>();
  const pagesOf: number[] = [];
  const classesOf: number[] = [];
  pointers.each((low, high, slot) => {
    const id = classOf(slot);
    if (!isCache(id)) return;
    pagesOf.push(pageOf(low, high, shift));
    classesOf.push(id);
  });
  const order = Uint32Array.from(pagesOf.keys()).sort((a, b) => pagesOf[a]! - pagesOf[b]!);
  for (let from = 0; from < order.length; ) {
    const page = pagesOf[order[from]!]!;
    const here = new Set<number>();
    for (; from < order.length && pagesOf[order[from]!] === page; from++) here.add(classesOf[order[from]!]!);
    if (here.size < 2) continue;
    for (const a of here) for (const b of here) if (a !== b) countIn(found, a, b);
  }
  return found;
}
