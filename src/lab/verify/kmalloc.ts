/**
 * kmalloc and misuse: which cache serves which size, and what the kernel does and prints when it is used wrongly.
 *
 * The cases of one boot ran one after the other, so they do here, on one machine; a case that the kernel did not survive ends its boot.
 * Each boot is played twice, on machines whose untouched memory differs: what differs then between the two was never written by
 * anybody, and is not compared (kmalloc-log.ts).
 *
 * kmalloc's own caches were in use when the recording began. Where its object lay, how many others lived beside it and whether it had
 * been freed before is what the boot had left, not an answer: a case's machine is first brought to where its report says that
 * the recorded one stood (`standWhereRecorded`).
 */

import { ArgumentError, parseSize } from '../../base/index.js';
import { parseGfp, sparseBytes } from '../../machine/index.js';
import { Machine, SLAB, SLAB_DEBUG_FLAGS, ZERO_SIZE_PTR } from '../../slab/index.js';
import { bootOptions } from '../boot/index.js';
import { type Bytes, type Outcome, runCase, tracksAt } from './kmalloc-cases.js';
import { maskedLines, maskLike, reportLines } from './kmalloc-log.js';
import {
  type RecordedBoot,
  type RecordedCache,
  RecordedKernel,
  type RecordingHead,
  UnknownRecordingError,
} from './recording.js';
import { type Expect, type SetResult, SetTally } from './result.js';

type Row = readonly [from: number, to: number, name: string | null, ksize: number, zone: string | null];

interface MisuseCase {
  /** The boot's label; cases of kmalloc_over have only its parameters. */
  readonly boot?: string;
  readonly append: string;
  readonly case: string;
  readonly answer: Readonly<Record<string, unknown>> | null;
  readonly survived?: boolean;
  readonly warnings_printed?: number;
  readonly log: readonly string[];
}

export interface KmallocRecording extends RecordingHead {
  readonly ranges: Readonly<Record<string, readonly Row[]>>;
  readonly kmalloc_caches: readonly (RecordedCache & { readonly id: string })[];
  readonly misuse: readonly MisuseCase[];
}

export interface OverrunRecording {
  readonly kernel: string;
  readonly cases: readonly MisuseCase[];
}

/** The recorder kept this many lines of a log: of a long one what came first. */
const LOG_LIMIT = 130;
const SHORT_LOG_LIMIT = 40;

/** kmalloc-*: sizes to caches, the caches, and the misuse cases. */
export function verifyKmalloc(recording: KmallocRecording, set: string): SetResult[] {
  const kernel = new RecordedKernel(recording);
  const boot = Object.values(recording.boots)[0];
  if (boot === undefined) throw new ArgumentError('expected a boot beside the ranges');
  if (!Array.isArray(recording.kmalloc_caches))
    throw new UnknownRecordingError('caches of kmalloc by a list of names are not read yet');
  const ranges = verifyRanges(recording, bootMachine(kernel, boot, '', 0), `${set}/ranges`);
  const caches = verifyCaches(recording, kernel, bootMachine(kernel, boot, '', 0), `${set}/caches`);
  if (kernel.profile.sheafRule !== null) {
    const note = `${recording.misuse.length} cases of misuse are passed over: what a kernel with sheaves says of it is not modelled yet`;
    return [ranges, { ...caches, note }];
  }
  return [ranges, caches, verifyMisuse(recording.misuse, kernel, boot, `${set}/misuse`)];
}

/** kmalloc-overrun-*: bytes written behind the size that was asked for. Nothing is recorded of the machine but its boot parameters. */
export function verifyOverrun(recording: OverrunRecording, set: string): SetResult {
  const kernel = new RecordedKernel({ kernel: recording.kernel, boots: {} });
  if (kernel.profile.sheafRule !== null)
    throw new UnknownRecordingError(
      `what Linux ${recording.kernel} says of bytes written behind an object is not modelled yet`,
    );
  return verifyMisuse(recording.cases, kernel, { cmdline: '', smp: 4, mem: '6G' }, `${set}/overrun`);
}

function verifyRanges({ ranges }: KmallocRecording, machine: Machine, set: string): SetResult {
  const tally = new SetTally(set);
  for (const [gfp, rows] of Object.entries(ranges)) {
    for (const [from, to, ...expected] of rows) {
      tally.case(`${gfp}: ${from} to ${to}`, (expect) => {
        for (const size of new Set([from, to])) {
          expect(`kmalloc(${size})`, expected, allocated(machine, size, gfp));
        }
      });
    }
  }
  return tally.result();
}

/** Cache (or page-order-N, or null), usable size and zone of one allocation, which is given back. */
function allocated(machine: Machine, size: number, gfp: string): [string | null, number, string | null] {
  const { pageSize } = machine.kernel;
  const address = machine.kmalloc(size, parseGfp(gfp));
  if (address === 0) return [null, 0, null];
  const ksize = machine.ksize(address);
  if (address === ZERO_SIZE_PTR) return ['ZERO_SIZE_PTR', ksize, null];
  const name = machine.whereIs(address)?.cache.name ?? `page-order-${Math.log2(ksize / pageSize)}`;
  const zone = machine.zoneOf(address)!;
  machine.kfree(address);
  return [name, ksize, zone];
}

function verifyCaches(
  recording: KmallocRecording,
  kernel: RecordedKernel,
  machine: Machine,
  set: string,
): SetResult {
  const tally = new SetTally(set);
  machine.kmalloc(8);
  for (const recorded of recording.kmalloc_caches) {
    tally.case(recorded.name, (expect) => {
      const cache = machine.findCache(recorded.name);
      const fields = cache && { ...kernel.fields(cache.info), id: cache.sysfsId };
      for (const [field, expected] of Object.entries(recorded))
        expect(field, expected, (fields as Record<string, unknown> | undefined)?.[field]);
    });
  }
  return tally.result();
}

// ---- misuse --------------------------------------------------------------------------------------------------------

function verifyMisuse(
  cases: readonly MisuseCase[],
  kernel: RecordedKernel,
  boot: RecordedBoot,
  set: string,
): SetResult {
  const tally = new SetTally(set);
  const compared: Compared = {
    lines: 0,
    logs: 0,
    bytes: 0,
    bytesLeftOut: 0,
    objectBytes: 0,
    objectBytesLeftOut: 0,
  };
  for (const group of bootsOf(cases)) {
    // The twin's memory is full of ones where nobody wrote.
    const machines = [0, 0xff].map((filler) => bootMachine(kernel, boot, group[0]!.append, filler));
    for (const recorded of group) {
      tally.case(`${recorded.boot ?? recorded.append}: ${recorded.case}`, (expect) => {
        for (const machine of machines) standWhereRecorded(machine, recorded);
        const [ours, twin] = machines.map((machine) => runCase(machine, kernel, recorded.case)) as [
          Outcome,
          Outcome,
        ];
        if (recorded.survived !== undefined) expect('survived', recorded.survived, ours.answer !== null);
        expectAnswer(expect, recorded.answer, ours.answer, twin.answer, compared);
        expectLog(expect, recorded, ours, twin, machines[0]!, compared);
        for (const machine of machines) machine.validate();
      });
    }
  }
  return {
    ...tally.result(),
    note: noteOf(compared, cases.length),
  };
}

/** Cases that ran on one machine: of one label, up to one that it did not survive. What could kill it was tried on one of its own. */
function bootsOf(cases: readonly MisuseCase[]): MisuseCase[][] {
  const boots: MisuseCase[][] = [];
  let open = false;
  for (const recorded of cases) {
    const last = boots.at(-1);
    const deadly = mayKill(recorded.case);
    if (open && !deadly && last![0]!.boot === recorded.boot && last![0]!.append === recorded.append)
      last!.push(recorded);
    else boots.push([recorded]);
    open = recorded.survived !== false && !deadly;
  }
  return boots;
}

/** A creation without a name, of no size or of half the 32-bit numbers, or with SLAB_PANIC: some kernel does not survive it. */
function mayKill(text: string): boolean {
  const [word, name, size, , flags] = text.split(' ');
  if (word !== 'create') return false;
  return (
    name === '-NULL-' || Number(size) === 0 || Number(size) >= 2 ** 31 || (Number(flags) & SLAB.PANIC) !== 0
  );
}

function bootMachine(kernel: RecordedKernel, boot: RecordedBoot, append: string, filler: number): Machine {
  return Machine.create({
    ...bootOptions(`${boot.cmdline} ${append}`, kernel.profile),
    machine: 'x86_64',
    memory: parseSize(boot.mem),
    cpus: boot.smp,
    kernel: kernel.profile,
    faithful: true,
    // What a new cache merges with depends on the caches that the boot had made.
    standing: true,
    bytes: sparseBytes(kernel.profile.pageSize, filler),
    ledger: { slabs: 1 << 12, linkPages: 1 << 10 },
  });
}

function expectAnswer(
  expect: Expect,
  recorded: MisuseCase['answer'],
  ours: Outcome['answer'],
  twin: Outcome['answer'],
  compared: Compared,
): void {
  if (recorded === null || ours === null) return expect('answer', recorded, ours);
  expect('fields', Object.keys(recorded).sort(), Object.keys(ours).sort());
  for (const [field, expected] of Object.entries(recorded)) {
    const got = ours[field];
    if (!isBytes(got)) {
      expect(field, expected, got);
      continue;
    }
    const other = twin![field] as Bytes;
    const mine = masked(got.hex, got, other);
    expect(field, masked(String(expected), got, other), mine);
    const leftOut = mine.split('..').length - 1;
    compared.objectBytesLeftOut += leftOut;
    compared.objectBytes += mine.length / 2 - leftOut;
  }
}

function isBytes(value: unknown): value is Bytes {
  return typeof value === 'object' && value !== null && 'hex' in value;
}

/** Hex digits with `..` for each byte that is the machine's own or nobody's. */
function masked(hex: string, ours: Bytes, twin: Bytes): string {
  const bytes = hex.match(/../g) ?? [];
  return bytes
    .map((byte, k) => {
      const own = ours.state.some(([from, to]) => k >= from && k < to);
      return own || ours.hex.slice(2 * k, 2 * k + 2) !== twin.hex.slice(2 * k, 2 * k + 2) ? '..' : byte;
    })
    .join('');
}

/** How much was held against ours: of the logs with the bytes of dumps in them, and of the objects in answers. */
interface Compared {
  lines: number;
  logs: number;
  bytes: number;
  bytesLeftOut: number;
  objectBytes: number;
  objectBytesLeftOut: number;
}

function noteOf(compared: Compared, cases: number): string {
  const { lines, logs, bytes, bytesLeftOut, objectBytes, objectBytesLeftOut } = compared;
  return (
    `compared ${lines} lines of ${logs} logs, ${bytes} bytes of dumps in them (${bytesLeftOut} are the machine's own); ` +
    `${cases - logs} cases say nothing; ${objectBytes} bytes of objects (${objectBytesLeftOut} are the machine's own or nobody's)`
  );
}

function expectLog(
  expect: Expect,
  recorded: MisuseCase,
  ours: Outcome,
  twin: Outcome,
  machine: Machine,
  compared: Compared,
): void {
  const limit =
    recorded.warnings_printed !== undefined || recorded.boot === undefined ? SHORT_LOG_LIMIT : LOG_LIMIT;
  const cut = recorded.log.length >= limit;
  const theirs = reportLines(recorded.log);
  const mine = maskedLines(reportLines(ours.log), reportLines(twin.log), (name) => {
    const info = machine.findCache(name)?.info;
    return info !== undefined && info.offset < info.inuse ? info.offset : undefined;
  });
  // What a log's noise swallows must not look like agreement.
  const speaks = recorded.log.some((line) => /^(BUG|FIX|WARNING|Unexpected gfp|0x)/.test(line));
  if (speaks) expect('lines to compare', true, theirs.length > 0);
  theirs.forEach((line, i) => {
    const masked = maskLike(line, mine[i]);
    expect(`log line ${i + 1}`, masked, mine[i]);
    const left = masked.bytes?.filter((byte) => byte === null).length ?? 0;
    compared.bytesLeftOut += left;
    compared.bytes += (masked.bytes?.length ?? 0) - left;
  });
  compared.lines += theirs.length;
  if (theirs.length > 0) compared.logs++;
  if (!cut) expect('lines of the log', theirs.length, mine.length);
  if (recorded.warnings_printed !== undefined) expectWarnings(expect, recorded, ours, machine);
}

/** How often a warning came: for each slab that was made. kmalloc's caches had free objects when the case began, so it came less often. */
function expectWarnings(expect: Expect, recorded: MisuseCase, ours: Outcome, machine: Machine): void {
  const printed = recorded.warnings_printed!;
  const shared = machine.findCache(String(ours.answer?.cache));
  if (shared === undefined) {
    const count = ours.log.filter((line) => line.startsWith('Unexpected gfp')).length;
    return expect('warnings_printed', printed, count);
  }
  const most = Math.ceil(Number(ours.answer!.n) / shared.info.oo.objects);
  expect('warnings_printed', true, printed > 0 && printed <= most);
}

// ---- where the recorded boot stood ---------------------------------------------------------------------------------------

/** Where a report says that the object of a case lay. */
interface Place {
  readonly offset: number;
  /** Other objects in use in its slab. */
  readonly others: number;
  /** Whether the object had been freed before. */
  readonly freed: boolean;
}

/** Somewhere, where a silent case says nothing: with a neighbour. */
const ANYWHERE: Place = { offset: 0, others: 1, freed: true };

function placeOf({ log, case: text }: MisuseCase): Place {
  const lines = log.join('\n');
  const used = /^Slab \S+ objects=\d+ used=(\d+)/m.exec(lines);
  if (used === null) return ANYWHERE;
  // The object of a second free was free already, so it is not among those in use.
  const others = text === 'kfree_double' ? Number(used[1]) : Number(used[1]) - 1;
  const offset = /^Object (?:\S+) @offset=(\d+) fp=/m.exec(lines);
  return { offset: Number(offset?.[1] ?? 0), others, freed: /^Freed in /m.test(lines) };
}

/**
 * Makes the next object of a debugged kmalloc cache one of a slab like the recorded one. The slab is new: what the last owner left in an
 * object is nobody's.
 */
function standWhereRecorded(machine: Machine, recorded: MisuseCase): void {
  const [word, size = '1000'] = recorded.case.split(' ');
  if (word !== 'kfree_double' && word !== 'kmalloc_over') return;
  const probe = machine.kmalloc(Number(size));
  const { cache } = machine.whereIs(probe)!;
  machine.kfree(probe);
  const { info } = cache;
  if (!(info.flags & SLAB_DEBUG_FLAGS)) return;
  while (cache.info.nrPartial > 0) cache.alloc();
  const objects = Array.from({ length: info.oo.objects }, () => cache.alloc());
  const { offset, others, freed } = placeOf(recorded);
  const mine = Math.floor(offset / info.size);
  const rest = objects.filter((_, i) => i !== mine);
  for (const object of rest.slice(others)) cache.free(object);
  cache.free(objects[mine]!);
  // The object was never freed before: its second track is empty.
  const { trackSize } = machine.kernel;
  if (!freed && info.flags & SLAB.STORE_USER)
    machine.bytes!.fill(objects[mine]! + tracksAt(info) + trackSize, trackSize, 0);
}
