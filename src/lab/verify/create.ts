import { ArgumentError } from '../../base/index.js';
import type { CacheInfo, KmemCache, Machine } from '../../slab/index.js';
import { sysfsFiles } from '../../text/index.js';
import {
  DESCRIBED,
  onlyBoot,
  type RecordedCache,
  RecordedKernel,
  type RecordedSlabCache,
  type RecordedSlubCache,
  type RecordingHead,
  undoing,
} from './recording.js';
import { type Expect, type SetResult, SetTally } from './result.js';

interface CreateRequest {
  readonly name: string;
  readonly size: number;
  readonly align: number;
  readonly flags: string;
  readonly ctor: number;
  readonly useroffset?: number;
  readonly usersize?: number;
  readonly use_freeptr_offset?: number;
  readonly freeptr_offset?: number;
  /** Objects of a sheaf that the caller wants; 0 for the usual number. */
  readonly sheaf_capacity?: number;
}

interface CreateOutcome extends Partial<Omit<RecordedSlubCache & RecordedSlabCache, 'name'>> {
  readonly null?: true;
  readonly link?: string;
  readonly merged_with?: string;
  readonly before?: { readonly object_size: number; readonly inuse: number; readonly refcount: number };
  readonly warns?: number;
  readonly sysfs?: Readonly<Record<string, string>>;
  readonly id?: string;
  readonly args_after?: { readonly align: number; readonly useroffset: number; readonly usersize: number };
}

export interface CreateRecording extends RecordingHead {
  readonly caches_already_there: readonly RecordedCache[];
  readonly cases: readonly (CreateRequest & { readonly out: CreateOutcome })[];
  readonly args_cases?: readonly (CreateRequest & { readonly out: CreateOutcome })[];
}

export interface ParamsRecording extends RecordingHead {
  readonly settings: Readonly<
    Record<
      string,
      {
        readonly boot: string;
        readonly cases: readonly (Omit<CreateRequest, 'name'> & { readonly out: CreateOutcome })[];
      }
    >
  >;
}

const someConstructor = () => {};

/** Makes the recorded request of a machine. */
export function createAsRecorded(
  kernel: RecordedKernel,
  machine: Machine,
  request: CreateRequest,
): KmemCache | null {
  return machine.kmemCacheCreate(request.name, request.size, {
    align: request.align,
    flags: kernel.flags(request.flags),
    useroffset: request.useroffset ?? 0,
    usersize: request.usersize ?? 0,
    ...(request.ctor && { ctor: someConstructor }),
    ...(request.sheaf_capacity && { sheafCapacity: request.sheaf_capacity }),
    ...(request.use_freeptr_offset && { freeptrOffset: request.freeptr_offset ?? 0 }),
  });
}

/** Fields that say how a case ended rather than what the cache is. */
const OUTCOME_ONLY = new Set([
  'null',
  'link',
  'id',
  'merged_with',
  'before',
  'warns',
  'sysfs',
  'aliases',
  'args_after',
]);

/** Compares every recorded field of a create with what came. */
export function expectOutcome(
  expect: Expect,
  kernel: RecordedKernel,
  machine: Machine,
  out: CreateOutcome,
  name: string,
  create: () => KmemCache | null,
): KmemCache | null {
  const standing = new Set(machine.caches().map(({ id }) => id));
  // How the cache was that is joined. Which one that is must agree as well, below.
  const joined = out.merged_with === undefined ? undefined : machine.findCache(out.merged_with);
  const before = joined && brief(joined.info);
  machine.log.clear();
  const cache = create();
  expect('null', out.null ?? false, cache === null);
  if (cache === null) return null;
  const merged = standing.has(cache.id);
  expect('merged_with', out.merged_with, merged ? cache.name : undefined);
  if (out.before && merged) expect('before', out.before, before);
  if (out.link !== undefined) expect('link', out.link, cache.sysfsId);
  if (out.id !== undefined) expect('id', out.id, cache.sysfsId);
  expect('warns', out.warns ?? 0, machine.log.lines.filter((line) => line.startsWith('WARNING')).length);
  const fields = kernel.fields(cache.info);
  for (const [field, expected] of Object.entries(out)) {
    if (!OUTCOME_ONLY.has(field)) expect(field, expected, fields[field]);
  }
  if (out.sysfs) expectSysfs(expect, out.sysfs, machine, cache, merged);
  if (!merged) expect('name', name, cache.name);
  return cache;
}

function brief({ objectSize, inuse, refcount }: CacheInfo): NonNullable<CreateOutcome['before']> {
  return { object_size: objectSize, inuse, refcount };
}

/** Counters of a cache that was there before hold objects of the recorded system; the other files are ours to know. */
const COUNTERS = new Set([
  'objects',
  'total_objects',
  'slabs',
  'objects_partial',
  'partial',
  'cpu_slabs',
  'slabs_cpu_partial',
]);

function expectSysfs(
  expect: Expect,
  files: Readonly<Record<string, string>>,
  machine: Machine,
  cache: KmemCache,
  merged: boolean,
): void {
  const ours = sysfsFiles(machine, cache);
  for (const [file, text] of Object.entries(files)) {
    if (merged && COUNTERS.has(file)) continue;
    // The symbol of a constructor is the recorder's own function.
    if (file === 'ctor') expect('sysfs/ctor', text !== '', cache.info.ctor);
    else expect(`sysfs/${file}`, text, ours.get(file));
  }
}

/** create-*: each case alone, on the caches that the boot had made. */
export function verifyCreate(recording: CreateRecording, set: string): SetResult[] {
  const kernel = new RecordedKernel(recording);
  const machine = kernel.machine(onlyBoot(recording.boots), recording.caches_already_there, DESCRIBED);
  const results = [verifyAlone(kernel, machine, recording.cases, set)];
  if (recording.args_cases) results.push(verifyAlone(kernel, machine, recording.args_cases, `${set}/args`));
  machine.validate();
  return results;
}

function verifyAlone(
  kernel: RecordedKernel,
  machine: Machine,
  cases: CreateRecording['cases'],
  set: string,
): SetResult {
  const tally = new SetTally(set);
  const undone = undoing(machine);
  for (const recorded of cases) {
    tally.case(recorded.name, (expect) => {
      undone(() => {
        const make = () => createAsRecorded(kernel, machine, recorded);
        const cache = expectOutcome(expect, kernel, machine, recorded.out, recorded.name, make);
        const after = recorded.out.args_after;
        // What the kernel writes back into its arguments: the alignment that the cache got, if it made one.
        if (after && cache && recorded.out.merged_with === undefined) {
          const { align, useroffset, usersize } = cache.info;
          expect('args_after', after, { align, useroffset, usersize });
        }
      });
    });
  }
  return tally.result();
}

/** create-*-params: the same requests under other boot parameters and CPU counts. */
export function verifyCreateParams(recording: ParamsRecording, set: string): SetResult {
  const kernel = new RecordedKernel(recording);
  const tally = new SetTally(set);
  for (const [label, setting] of Object.entries(recording.settings)) {
    const boot = recording.boots[setting.boot];
    if (boot === undefined)
      throw new ArgumentError(`setting ${label} names the boot '${setting.boot}', which is not there`);
    const machine = kernel.machine(boot, [], DESCRIBED);
    const undone = undoing(machine);
    setting.cases.forEach((recorded, i) => {
      const name = `${label}/${i}`;
      tally.case(`${label}: case ${i}, size ${recorded.size}`, (expect) => {
        undone(() => {
          const make = () => createAsRecorded(kernel, machine, { ...recorded, name });
          expectOutcome(expect, kernel, machine, recorded.out, name, make);
        });
      });
    });
  }
  return tally.result();
}
