/**
 * # Is the engine right? Held against recordings of real kernels
 *
 * A recording is recognised by what is in it, never by its name. Each kind is compared value by value in a file of its own; what no file
 * here understands is an error, so that nothing passes by not being compared.
 */
import { ArgumentError } from '../../base/index.js';
import { type CreateRecording, type ParamsRecording, verifyCreate, verifyCreateParams } from './create.js';
import { type GenallocRecording, verifyGenalloc } from './genalloc.js';
import { type KmallocRecording, type OverrunRecording, verifyKmalloc, verifyOverrun } from './kmalloc.js';
import { type MergeRecording, verifyMerge } from './merge.js';
import { isOrderRanges, verifyOrderRanges } from './order-ranges.js';
import { type PageFragRecording, verifyPageFrag } from './page-frag.js';
import { UnknownRecordingError } from './recording.js';
import type { SetResult } from './result.js';
import { type SeqRecording, verifySeq } from './seq.js';
import { isSlabZones, verifySlabZones } from './slab-zones.js';
import {
  isSysfsListing,
  isSysfsRecording,
  type SysfsListing,
  type SysfsRecording,
  verifySysfs,
  verifySysfsListing,
} from './sysfs.js';
import { type V7sRecording, verifyV7s } from './v7s.js';
import { type V7sWorkloadRecording, verifyV7sWorkload } from './v7s-workload.js';

export { UnknownKernelError, UnknownRecordingError } from './recording.js';
export type { Disagreement, SetResult } from './result.js';

/**
 * Holds the engine against one parsed recording. `set` names it in the result. Throws UnknownRecordingError for what is none that is
 * known, ArgumentError for one that is malformed.
 */
export function verifyRecording(recording: unknown, set: string): SetResult[] {
  if (typeof recording !== 'object' || recording === null)
    throw new UnknownRecordingError('expected a recording, an object with "what"');
  const has = (key: string) => key in recording;
  const allocator = (recording as { allocator?: unknown }).allocator;
  const slub = allocator === 'SLUB';
  const either = slub || allocator === 'SLAB';
  if (isOrderRanges(recording)) return [verifyOrderRanges(recording, set)];
  if (has('pools')) return [verifyGenalloc(recording as GenallocRecording, set)];
  if (has('sequences') && !has('boots')) throw new ArgumentError('expected "boots" beside "sequences"');
  if (has('sequences') && isPageFrag(recording)) return [verifyPageFrag(recording as PageFragRecording, set)];
  if (either && has('cases') && has('caches_already_there'))
    return verifyCreate(recording as CreateRecording, set);
  if (slub && has('settings') && isSysfsRecording((recording as { settings: unknown }).settings))
    return verifySysfs(recording as SysfsRecording, set);
  if (slub && isSysfsListing(recording)) return verifySysfsListing(recording as SysfsListing, set);
  if (either && has('settings')) return [verifyCreateParams(recording as ParamsRecording, set)];
  if (either && has('ranges') && has('misuse')) return verifyKmalloc(recording as KmallocRecording, set);
  if (isOverrun(recording)) return [verifyOverrun(recording as OverrunRecording, set)];
  if (either && has('scenarios')) return [verifyMerge(recording as MergeRecording, set)];
  if (either && has('sequences')) return verifySeq(recording as SeqRecording, set);
  if (isSlabZones(recording)) return [verifySlabZones(recording, set)];
  const schema = (recording as { meta?: { schema?: unknown } | null }).meta?.schema;
  if (schema === 'v7s-1') return [verifyV7s(recording as V7sRecording, set)];
  if (schema === 'v7s-workload-1') return [verifyV7sWorkload(recording as V7sWorkloadRecording, set)];
  const what = (recording as { what?: unknown }).what;
  throw new UnknownRecordingError(
    `verify does not understand this recording${typeof allocator === 'string' ? ` of ${allocator}` : ''}` +
      `${typeof what === 'string' ? ` ("${what}")` : ''}; it reads create, merge, seq, kmalloc and zones of SLUB and SLAB, ` +
      'sysfs of SLUB, genalloc, page_frag and v7s',
  );
}

/** Both page_frag and seq keep sequences; only page_frag's have pages and no size. */
function isPageFrag(recording: object): boolean {
  const [first] = (recording as { sequences: unknown[] }).sequences;
  return typeof first === 'object' && first !== null && 'r' in first && 'pages' in first;
}

/** Only its cases say what it is: kmalloc_over, without the head that other recordings have. */
function isOverrun(recording: object): boolean {
  const { cases } = recording as { cases?: unknown };
  return (
    Array.isArray(cases) &&
    String((cases[0] as { case?: unknown } | undefined)?.case).startsWith('kmalloc_over')
  );
}
