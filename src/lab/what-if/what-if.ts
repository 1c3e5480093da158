/**
 * # What if the machine had been another?
 *
 * A what-if is a list of settings, each of which changes one thing of the recorded machine; the empty list is the machine as it was.
 *
 *     slub_max_order=0                  page_size=64K              cpus=8
 *     slab_nomerge                      slub_debug=FZP             allocator=slab
 *     cpu_partial=0                     min_partial=32             (of all caches)
 *     sheaves                           sheaves=32                 (slab/sheaf/sheaf.ts: objects of one sheaf, by size unless told)
 *     dentry.size=200                   dentry.flags+=ACCOUNT      filp.cpu_partial=4
 *     dentry.flags-=RECLAIM_ACCOUNT     dentry.slub_debug=U        filp.strategy=page_frag-32k
 *
 * `cpus` changes what follows from the number of CPUs, such as how many objects a slab should have. Events stay on the CPU on which they
 * were recorded; those of a CPU that there is no more go to the others in turn.
 *
 * Here they are read and put into data; which caches there are only build.ts knows.
 */
import { ArgumentError, largestOf, lookUp, parseSize } from '../../base/index.js';
import { CPUS_MAX } from '../../machine/index.js';
import {
  ALLOCATORS,
  type AllocatorName,
  KERNELS,
  parseSlabFlags,
  parseSlubDebug,
  SHEAF_CAPACITY_MAX,
  SLUB_MIN_OBJECTS_MAX,
} from '../../slab/index.js';
import { STRATEGIES } from '../compare/index.js';

/** What changes of one cache. */
export interface CacheChange {
  /** Bytes of an object. */
  readonly size?: number;
  /** SLAB_* flags that it gets and loses. */
  readonly addFlags?: number;
  readonly removeFlags?: number;
  /** Objects; slabs. */
  readonly cpuPartial?: number;
  readonly minPartial?: number;
  /** A word of STRATEGIES: its objects come from there instead. */
  readonly strategy?: string;
}

/** What is to be other than recorded. What is not named stays. */
export interface WhatIf {
  /** The settings as they were written. */
  readonly settings: readonly string[];
  readonly allocator?: AllocatorName;
  readonly slubMinOrder?: number;
  readonly slubMaxOrder?: number;
  readonly slubMinObjects?: number;
  readonly slubNomerge?: boolean;
  readonly slubDebug?: string;
  readonly cpus?: number;
  /** Bytes. */
  readonly pageSize?: number;
  /** Of all caches that have CPU partial lists at all: objects; slabs. */
  readonly cpuPartial?: number;
  readonly minPartial?: number;
  /** Objects of each sheaf of every cache that can have sheaves; `usual` goes by the object's size. */
  readonly sheaves?: number | 'usual';
  /** By any name of a cache. */
  readonly caches: ReadonlyMap<string, CacheChange>;
}

/** The machine as it was recorded. */
export const AS_RECORDED: WhatIf = { settings: [], caches: new Map() };

/** What no kernel takes is refused before anything is replayed; what one of them does not take, when it is known which it is. */
export const ORDER_MAX = largestOf([...KERNELS.values()].map(({ orders }) => orders - 1));
/** The largest number that a parameter of the kernel holds. */
export const UNSIGNED_MAX = 0xffffffff;

const PAGE_SIZES: readonly number[] = [4096, 16384, 65536];

/** What a setting's reader makes of its value. */
type Reader<T> = (value: string, setting: string) => Partial<T>;

const MACHINE_SETTINGS: ReadonlyMap<string, Reader<WhatIf>> = new Map<string, Reader<WhatIf>>([
  ['allocator', (value) => ({ allocator: lookUp('allocator', value, ALLOCATORS) })],
  ['slub_min_order', (value, setting) => ({ slubMinOrder: whole(value, setting, 0, ORDER_MAX) })],
  ['slub_max_order', (value, setting) => ({ slubMaxOrder: whole(value, setting, 0, ORDER_MAX) })],
  [
    'slub_min_objects',
    (value, setting) => ({ slubMinObjects: whole(value, setting, 0, SLUB_MIN_OBJECTS_MAX) }),
  ],
  ['slab_nomerge', (value, setting) => ({ slubNomerge: yesOrNo(value, setting) })],
  ['slub_debug', (value) => ({ slubDebug: debugWords(value) })],
  ['cpus', (value, setting) => ({ cpus: whole(value, setting, 1, CPUS_MAX) })],
  ['page_size', (value, setting) => ({ pageSize: pageSize(value, setting) })],
  ['cpu_partial', (value, setting) => ({ cpuPartial: whole(value, setting) })],
  ['min_partial', (value, setting) => ({ minPartial: whole(value, setting) })],
  [
    'sheaves',
    (value, setting) => ({ sheaves: value === '' ? 'usual' : whole(value, setting, 0, SHEAF_CAPACITY_MAX) }),
  ],
]);

/** Other words for the same: 6.9 renamed SLUB's parameters, and the older merge parameter still works. */
const OTHER_WORDS: ReadonlyMap<string, string> = new Map([
  ['slab_min_order', 'slub_min_order'],
  ['slab_max_order', 'slub_max_order'],
  ['slab_min_objects', 'slub_min_objects'],
  ['slub_nomerge', 'slab_nomerge'],
  ['slab_debug', 'slub_debug'],
]);

const CACHE_SETTINGS: ReadonlyMap<string, Reader<CacheChange>> = new Map<string, Reader<CacheChange>>([
  ['size', (value, setting) => ({ size: objectSize(value, setting) })],
  ['flags+', (value) => ({ addFlags: parseSlabFlags(value) })],
  ['flags-', (value) => ({ removeFlags: parseSlabFlags(value) })],
  ['slub_debug', (value) => ({ addFlags: parseSlubDebug(debugWords(value)).flags })],
  ['cpu_partial', (value, setting) => ({ cpuPartial: whole(value, setting) })],
  ['min_partial', (value, setting) => ({ minPartial: whole(value, setting) })],
  ['strategy', (value) => ({ strategy: lookUp('strategy', value, STRATEGIES).id })],
]);

/** All words of a setting of the machine, for those who let a person choose. */
export const MACHINE_SETTING_WORDS: readonly string[] = [...MACHINE_SETTINGS.keys()];
/** All words of a setting of a cache; `flags+` and `flags-` with their sign. */
export const CACHE_SETTING_WORDS: readonly string[] = [...CACHE_SETTINGS.keys()];

/** `slub_max_order=0` as `['', 'slub_max_order', '0']`, `dentry.flags+=ACCOUNT` as `['dentry', 'flags+', 'ACCOUNT']`. */
export type SettingParts = readonly [cache: string, word: string, value: string];

/** A setting's parts, its word as this kernel has it; undefined for what is no setting at all. Its word and value need not make sense. */
export function settingParts(setting: string): SettingParts | undefined {
  const [, cache = '', word = '', sign = '', value = ''] =
    /^(?:(.+)\.)?([a-z_]+)(?:([+-]?)=(.*))?$/.exec(setting.trim()) ?? [];
  return word === '' ? undefined : [cache, `${OTHER_WORDS.get(word) ?? word}${sign}`, value];
}

/** Reads settings. Throws UnknownNameError with the nearest words, ArgumentError for a value that makes no sense. */
export function parseWhatIf(settings: readonly string[]): WhatIf {
  let whatIf: WhatIf = { ...AS_RECORDED, settings };
  const caches = new Map<string, CacheChange>();
  const given = new Set<string>();
  for (const setting of settings) {
    const parts = settingParts(setting);
    if (parts === undefined) {
      throw new ArgumentError(
        `'${setting}' is no setting: expected NAME=VALUE, such as slub_max_order=0, or CACHE.NAME=VALUE, such as dentry.size=200`,
      );
    }
    const [cache, word, value] = parts;
    const name = cache === '' ? word : `${cache}.${word}`;
    // Flags add up; of two other values nobody can say which is meant.
    if (given.has(name) && !word.startsWith('flags'))
      throw new ArgumentError(`${name} is set twice in one what-if: '${settings.join(' ')}'`);
    given.add(name);
    if (cache === '') {
      whatIf = { ...whatIf, ...lookUp('setting', word, MACHINE_SETTINGS)(value, setting) };
      continue;
    }
    const change = lookUp('setting of a cache', word, CACHE_SETTINGS)(value, setting);
    caches.set(cache, joined(caches.get(cache), change));
  }
  return { ...whatIf, caches };
}

/** Flags add up; of everything else the later setting counts. */
function joined(before: CacheChange = {}, change: CacheChange): CacheChange {
  const add = (before.addFlags ?? 0) | (change.addFlags ?? 0);
  const remove = (before.removeFlags ?? 0) | (change.removeFlags ?? 0);
  return {
    ...before,
    ...change,
    ...(add !== 0 && { addFlags: add >>> 0 }),
    ...(remove !== 0 && { removeFlags: remove >>> 0 }),
  };
}

function whole(value: string, setting: string, least = 0, most = UNSIGNED_MAX): number {
  const number = Number(value);
  const range = most === UNSIGNED_MAX ? `from ${least}` : `from ${least} to ${most}`;
  if (!/^\d+$/.test(value) || number < least || number > most)
    throw new ArgumentError(`'${setting}': expected a whole number ${range}, but there stands '${value}'`);
  return number;
}

function objectSize(value: string, setting: string): number {
  const bytes = parseSize(value);
  if (bytes < 1 || bytes > 4 * 2 ** 20)
    throw new ArgumentError(`'${setting}': expected 1 byte to 4 MiB, but there stands '${value}'`);
  return bytes;
}

function pageSize(value: string, setting: string): number {
  const bytes = parseSize(value);
  if (!PAGE_SIZES.includes(bytes))
    throw new ArgumentError(`'${setting}': kernels have pages of 4K, 16K or 64K, not of ${value}`);
  return bytes;
}

/** A word alone switches on. */
function yesOrNo(value: string, setting: string): boolean {
  if (['', '1', 'y', 'yes', 'on', 'true'].includes(value)) return true;
  if (['0', 'n', 'no', 'off', 'false'].includes(value)) return false;
  throw new ArgumentError(`'${setting}': expected 1 or 0, but there stands '${value}'`);
}

/** Without letters it is all of the usual ones, as at boot. */
function debugWords(value: string): string {
  const words = value === '' ? 'FZPU' : value;
  parseSlubDebug(words);
  return words;
}
