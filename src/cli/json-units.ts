/**
 * # Numbers of `--json` say what they count
 *
 * Inside slablab bytes are what everything is measured in, and a name does not say so. Who reads JSON does not know: there each number that
 * is no plain count has its unit in its name. One table for all commands, by a name or by `PARENT.NAME` where it means that only there.
 */

const BYTES: readonly string[] = [
  'align',
  'inuse',
  'loss',
  'managed',
  'memory',
  'objSize',
  'objectAlign',
  'objectSize',
  'pageSize',
  'peakTaken',
  'recoverable',
  'redLeftPad',
  'requested',
  'size',
  'slabSize',
  'space',
  'taken',
  'user',
  'useroffset',
  'usersize',
  'caches.used',
  'perCache.used',
  'end.others',
  'series.others',
  'series.least',
  'series.most',
  'series.last',
  'caches.last',
  'freePointer.offset',
  'pageSizes',
  'segments.from',
  'segments.to',
  'strategies.series',
  'workload.asked',
];
const NANOSECONDS: readonly string[] = ['time', 'times', 'firstTime', 'lastTime', 'since'];
const BITS: readonly string[] = ['ias', 'oas'];

const UNITS: ReadonlyMap<string, string> = new Map([
  ...BYTES.map((name) => [name, 'Bytes'] as const),
  ...NANOSECONDS.map((name) => [name, 'Ns'] as const),
  ...BITS.map((name) => [name, 'Bits'] as const),
]);

/** What somebody else's file said, in its own names. */
const FOREIGN: ReadonlySet<string> = new Set(['disagreements', 'events', 'stats', 'peakPages', 'others']);

/** The same value with units in the names of its numbers, and of lists and groups of numbers. */
export function withUnits(value: unknown, parent = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => withUnits(each, parent));
  if (typeof value !== 'object' || value === null || FOREIGN.has(parent)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, its]) => {
      const unit = measures(its) ? (UNITS.get(`${parent}.${name}`) ?? UNITS.get(name) ?? '') : '';
      return [`${name}${unit}`, withUnits(its, name)];
    }),
  );
}

/** A number, none yet, a list of numbers, or what least, most and average of numbers are. */
function measures(value: unknown): boolean {
  if (value === null || typeof value === 'number') return true;
  if (Array.isArray(value)) return value.every((each) => typeof each === 'number');
  return typeof value === 'object' && Object.values(value).every((each) => typeof each === 'number');
}
