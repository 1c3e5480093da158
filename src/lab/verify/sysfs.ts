/**
 * sysfs-*: the files of one cache, what each write to them does, and the listing of /sys/kernel/slab.
 *
 * The files' modes, every write with what is read afterwards, and the cache before and after are compared in full. Of the listing each
 * entry is compared, directory or link with its target. The recording does not say from which requests its caches came, so the
 * machine gets them in three ways:
 *  1. kmalloc's caches and those of a booted kernel follow from the profile, where the recorded kernel was built as the profile says;
 *  2. a further link is made again by a request of the size and flags that its target's name tells: the engine must find that target;
 *  3. a further directory of its own name by a request that cannot merge.
 * What the caches hold is the state of the recorded system and is in no listing.
 */

import { ArgumentError, parseSize } from '../../base/index.js';
import { KERNELS, type KmemCache, Machine, SLAB, SLAB_INTERNAL_FLAGS } from '../../slab/index.js';
import { type SysfsTree, sysfsFiles, sysfsMode, sysfsTree, sysfsWrite } from '../../text/index.js';
import { bootOptions } from '../boot/index.js';
import { type RecordedBoot, type RecordedCache, RecordedKernel, type RecordingHead } from './recording.js';
import { type Expect, type SetResult, SetTally } from './result.js';

interface RecordedWrite {
  readonly file: string;
  readonly write: string;
  /** What write() returned, or why open() failed. */
  readonly ret?: number;
  readonly open?: number;
  /** What the file reads as afterwards. */
  readonly reads: string;
}

interface SysfsSetting {
  readonly cache: Partial<RecordedCache> & Pick<RecordedCache, 'name' | 'object_size' | 'align' | 'flags'>;
  readonly cache_after?: Partial<RecordedCache>;
  /** As `ls -l` prints them. */
  readonly modes: Readonly<Record<string, string>>;
  /** What the files read as, in a recording without writes. */
  readonly texts?: Readonly<Record<string, string>>;
  readonly writes?: readonly RecordedWrite[];
  /** As `ls` lists: names, and `name -> target`. */
  readonly directory: readonly string[];
}

export interface SysfsRecording extends RecordingHead {
  /** By the label of the boot. */
  readonly settings: Readonly<Record<string, SysfsSetting>>;
}

/** A recording of one boot, whose one setting stands in its head. */
export type SysfsListing = RecordingHead & SysfsSetting;

export function isSysfsListing(recording: object): boolean {
  return 'modes' in recording && 'texts' in recording && 'directory' in recording;
}

export function verifySysfsListing(recording: SysfsListing, set: string): SetResult[] {
  const label = Object.keys(recording.boots)[0] ?? 'default';
  return verifySysfs({ ...recording, settings: { [label]: recording } }, set);
}

export function isSysfsRecording(settings: unknown): boolean {
  return typeof settings === 'object' && settings !== null && Object.values(settings).some(isSetting);
}

function isSetting(setting: unknown): boolean {
  return typeof setting === 'object' && setting !== null && 'modes' in setting && 'writes' in setting;
}

export function verifySysfs(recording: SysfsRecording, set: string): SetResult[] {
  const kernel = new RecordedKernel(recording);
  const tally = new SetTally(set);
  for (const [label, setting] of Object.entries(recording.settings)) {
    const boot = recording.boots[label];
    if (boot === undefined) throw new ArgumentError(`setting ${label} has no boot of that name`);
    verifySetting(tally, kernel, boot, label, setting);
  }
  return [tally.result()];
}

function verifySetting(
  tally: SetTally,
  kernel: RecordedKernel,
  boot: RecordedBoot,
  label: string,
  setting: SysfsSetting,
): void {
  const machine = bootedMachine(kernel, boot);
  const cache = recordedCache(kernel, machine, setting.cache);
  tally.case(`${label}: the cache`, (expect) => expectFields(expect, kernel, cache, setting.cache));
  tally.case(`${label}: modes`, (expect) => {
    const files = [...sysfsFiles(machine, cache).keys()].sort();
    const modes = Object.fromEntries(files.map((file) => [file, modeText(sysfsMode(file))]));
    expect('modes', setting.modes, modes);
  });
  if (setting.texts !== undefined)
    tally.case(`${label}: texts`, (expect) =>
      expectTexts(expect, setting.texts!, sysfsFiles(machine, cache)),
    );
  setting.writes?.forEach(({ file, write, ret, open, reads }, i) => {
    tally.case(`${label}: write ${i}, '${write}' to ${file}`, (expect) => {
      expect('returned', open ?? ret, sysfsWrite(machine, cache, file, write));
      expect('reads', reads, sysfsFiles(machine, cache).get(file));
    });
  });
  const after = setting.cache_after;
  if (after !== undefined)
    tally.case(`${label}: the cache after the writes`, (expect) =>
      expectFields(expect, kernel, cache, after),
    );
  tally.case(`${label}: directory`, (expect) => {
    const recorded = setting.directory.filter((line) => !/^total \d+$/.test(line));
    let tree = sysfsTree(machine);
    for (const line of recorded) if (makeAgain(machine, tree, line)) tree = sysfsTree(machine);
    const ours = listing(sysfsTree(machine));
    expect('missing', [], without(recorded, ours));
    expect('too many', [], without(ours, recorded));
    expect('order', recorded, ours);
  });
  machine.validate();
}

function bootedMachine({ profile }: RecordedKernel, boot: RecordedBoot): Machine {
  // The profile lists the caches of a kernel that was built in its way.
  const standing = KERNELS.get(profile.name)?.hardenedUsercopy === profile.hardenedUsercopy;
  const machine = Machine.create({
    ...bootOptions(boot.cmdline, profile),
    machine: 'x86_64',
    memory: parseSize(boot.mem),
    cpus: boot.smp,
    kernel: profile,
    standing,
  });
  // Makes the caches of kmalloc, and takes nothing from them.
  machine.kmalloc(0);
  return machine;
}

/** The cache that was written to, from its final fields. */
function recordedCache(kernel: RecordedKernel, machine: Machine, recorded: SysfsSetting['cache']): KmemCache {
  const { name, object_size, align, flags, useroffset = 0, usersize = 0, ctor } = recorded;
  const cache = machine.kmemCacheCreate(name, object_size, {
    align,
    flags: (kernel.flags(flags) & ~SLAB_INTERNAL_FLAGS) >>> 0,
    useroffset,
    usersize,
    ...(ctor && { ctor: () => {} }),
  });
  if (cache === null) throw new ArgumentError(`${name}: ${machine.log.lines.at(-1)}`);
  return cache;
}

function expectTexts(
  expect: Expect,
  recorded: Readonly<Record<string, string>>,
  ours: ReadonlyMap<string, string>,
): void {
  for (const [file, text] of Object.entries(recorded)) {
    // The symbol of a constructor is the recorder's own function.
    if (file === 'ctor') expect(file, text !== '', ours.has(file));
    else expect(file, text, ours.get(file));
  }
}

function expectFields(
  expect: Expect,
  kernel: RecordedKernel,
  cache: KmemCache,
  recorded: Partial<RecordedCache>,
): void {
  const fields: Record<string, unknown> = { ...kernel.fields(cache.info), id: cache.sysfsId };
  for (const [field, expected] of Object.entries(recorded)) expect(field, expected, fields[field]);
}

/** `-rw-------` */
function modeText(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => (mode & (1 << (8 - i)) ? letter : '-'));
  return `-${letters.join('')}`;
}

const ID = /^:(?:([dDaFA]+)-)?(\d+)$/;
const ID_FLAGS: Readonly<Record<string, number>> = {
  d: SLAB.CACHE_DMA,
  D: SLAB.CACHE_DMA32,
  a: SLAB.RECLAIM_ACCOUNT,
  F: SLAB.CONSISTENCY_CHECKS,
  A: SLAB.ACCOUNT,
};

/** Ways 2 and 3. A directory that is an id comes with its links. Returns whether the tree is another now. */
function makeAgain(machine: Machine, tree: SysfsTree, line: string): boolean {
  const [name = '', target] = line.split(' -> ');
  if (tree.directories.has(name) || tree.links.has(name) || ID.test(name)) return false;
  const [, letters = '', size = '0'] = ID.exec(target ?? '') ?? [];
  if (target === undefined) machine.kmemCacheCreate(name, 64, { ctor: () => {} });
  else {
    const flags = [...letters].reduce((sum, letter) => sum | ID_FLAGS[letter]!, 0);
    machine.kmemCacheCreate(name, Number(size), { flags });
  }
  return true;
}

function listing({ directories, links }: SysfsTree): string[] {
  const lines = new Map<string, string>([...directories.keys()].map((name) => [name, name]));
  for (const [name, target] of links) lines.set(name, `${name} -> ${target}`);
  return [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
}

function without(lines: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return lines.filter((line) => !known.has(line));
}
