/**
 * # What a .slt says of itself, checked
 *
 * Whoever opens a saved trace believes its directory: arrays get as many slots as it says, a class leads to its neighbours, a mark to its
 * row. So before anything of it is used every value is held against a shape, as data: which type it has, and below which number it must
 * stay. The first that does not fit is told by its place, such as `classes[3].neighbours[0][0]`, with what stands there.
 */
import { InputError, isObject } from '../../base/index.js';
import {
  CLASS_KIND,
  type ReadReport,
  type ResolveReport,
  type TraceClass,
  type TraceMark,
} from '../batch/index.js';

/** A text, or its bytes where they are no UTF-8. */
export type SavedText = string | readonly number[];

/** What stands beside the columns. */
export interface TraceDirectory {
  readonly schema: string;
  readonly rows: number;
  readonly slots: number;
  readonly cpus: number;
  /** By id; the first is ''. */
  readonly strings: readonly SavedText[];
  readonly classes: readonly TraceClass[];
  readonly marks: readonly TraceMark[];
  readonly report: ResolveReport;
  readonly file: string;
  readonly read: Omit<ReadReport, 'others'> & { readonly others: readonly (readonly [string, number])[] };
}

/** What the rest of the file has room for. */
interface DirectoryLimits {
  /** Rows of all chunks. */
  readonly rows: number;
  /** So many different slots can stand in its columns. */
  readonly slots: number;
}

/** What is wrong, and where below the value that was looked at. */
interface Complaint {
  readonly path: string;
  readonly what: string;
  readonly value: unknown;
}
type Check = (value: unknown) => Complaint | undefined;

/** As many as a column of CPUs can name. */
const CPUS_MAX = 65536;
const ORDER_MAX = 30;
const U32 = 2 ** 32 - 1;
const PAGE_BYTES_MAX = 2 ** 20;
const SHOWN_LENGTH = 40;

const simple =
  (isGood: (value: unknown) => boolean, what: string): Check =>
  (value) =>
    isGood(value) ? undefined : { path: '', what, value };

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const count = simple(isCount, 'is no count');
const upTo = (most: number): Check =>
  simple((value) => isCount(value) && value <= most, `is no count up to ${most}`);
const number = simple(Number.isFinite, 'is no number');
const text = simple((value) => typeof value === 'string', 'is no text');
const oneOf = (values: readonly unknown[]): Check =>
  simple((value) => values.includes(value), `is none of ${values.join(', ')}`);

const list =
  (each: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return { path: '', what: 'is no list', value };
    for (let i = 0; i < value.length; i++) {
      const complaint = each(value[i]);
      if (complaint !== undefined) return { ...complaint, path: `[${i}]${complaint.path}` };
    }
    return undefined;
  };

const tuple =
  (...parts: readonly Check[]): Check =>
  (value) =>
    Array.isArray(value) && value.length === parts.length
      ? fieldsOf(value, Object.entries(parts), (key) => `[${key}]`)
      : { path: '', what: `is no list of ${parts.length}`, value };

const record = (fields: Readonly<Record<string, Check>>): Check => {
  const entries = Object.entries(fields);
  return (value) =>
    isObject(value)
      ? fieldsOf(value, entries, (key) => `.${key}`)
      : { path: '', what: 'is no object', value };
};

function fieldsOf(
  value: object,
  entries: readonly (readonly [string, Check])[],
  pathOf: (key: string) => string,
): Complaint | undefined {
  for (const [key, check] of entries) {
    const own = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    const complaint = check(own);
    if (complaint !== undefined) return { ...complaint, path: pathOf(key) + complaint.path };
  }
  return undefined;
}

const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? undefined : check(value);

const savedText: Check = (value) => (typeof value === 'string' ? undefined : list(upTo(255))(value));
const named = list(tuple(text, count));

const objects = record({
  allocs: count,
  frees: count,
  failed: count,
  peakLive: count,
  live: count,
  over: count,
  overSites: named,
  freesOfNothing: count,
  unseen: count,
  unseenAgain: count,
  unseenBy: named,
  zeroSizeLike: tuple(count, count),
  mixed: count,
});
const pages = record({
  allocs: count,
  frees: count,
  failed: count,
  live: count,
  livePages: count,
  over: count,
  unseen: count,
  split: count,
  slabs: count,
});
const isPageSize = (value: unknown): boolean =>
  isCount(value) && value <= PAGE_BYTES_MAX && (value & (value - 1)) === 0;

const read = record({
  format: text,
  bytes: count,
  lines: count,
  byKind: list(count),
  others: named,
  comments: count,
  lost: count,
  damaged: count,
  damage: list(record({ line: count, offset: count, why: text })),
  notes: list(text),
});

function classShape(rows: number, classes: number): Check {
  const some = upTo(rows);
  return record({
    kind: oneOf(Object.values(CLASS_KIND)),
    site: text,
    bytesReq: upTo(U32),
    bytesAlloc: upTo(U32),
    gfp: upTo(U32),
    order: upTo(ORDER_MAX),
    accounted: upTo(2),
    freedAs: text,
    // Files of before such events were read lack it.
    allocatedAs: optional(text),
    allocs: some,
    frees: some,
    live: some,
    grew: list(tuple(upTo(ORDER_MAX), some)),
    names: list(tuple(text, some)),
    neighbours: list(tuple(upTo(classes - 1), count)),
  });
}

/** Throws InputError, with the file and the place, for a directory that is none or leads astray. */
export function checkedTraceDirectory(
  given: unknown,
  schema: string,
  { rows, slots }: DirectoryLimits,
  file: string,
): TraceDirectory {
  const bad = (what: string) => new InputError(file, 0, `it is no saved trace: ${what}`);
  const { schema: stands, classes } = (given ?? {}) as {
    readonly schema?: unknown;
    readonly classes?: unknown;
  };
  if (stands !== schema) throw bad(`expected the schema '${schema}', and there stands ${shown(stands)}`);
  const row = simple((value) => isCount(value) && value < rows, `is none of the ${rows} rows`);
  const whole = record({
    rows: simple((value) => value === rows, `is not the ${rows} rows that its chunks have`),
    slots: upTo(slots),
    cpus: upTo(CPUS_MAX),
    strings: list(savedText),
    classes: list(classShape(rows, Array.isArray(classes) ? classes.length : 0)),
    marks: list(record({ row, time: number, text, live: count, livePages: count })),
    report: record({
      rows: simple((value) => value === rows, `is not the ${rows} rows that its chunks have`),
      firstTime: number,
      lastTime: number,
      cpus: upTo(CPUS_MAX),
      believedCpus: optional(record({ cpus: upTo(CPUS_MAX), odd: list(tuple(count, count)) })),
      backwards: upTo(rows),
      objects,
      pages,
      lost: count,
      marksLeftOut: count,
      pointers: oneOf(['real', 'hashed', 'unclear']),
      pageSize: simple(isPageSize, 'is no size of a page'),
    }),
    file: text,
    read,
  });
  const complaint = whole(given);
  if (complaint === undefined) return given as TraceDirectory;
  throw bad(`'${complaint.path.slice(1)}' ${complaint.what}, there stands ${shown(complaint.value)}`);
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > SHOWN_LENGTH ? `${json.slice(0, SHOWN_LENGTH)}…` : json;
}
