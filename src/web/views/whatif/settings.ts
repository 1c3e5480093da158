/**
 * # A what-if as a form
 *
 *     text      slub_max_order=0 dentry.size=200            as `slablab replay --set` takes it
 *     settings  ['slub_max_order=0', 'dentry.size=200']
 *     controls  [highest order: 0]  [dentry: bytes of an object 200]
 *
 * The text is all the state that there is: a control shows the setting that is in it, and writes it back. So the two cannot say different
 * things, and what a person writes by hand, a mistake as well, stays as it was written.
 */
import { MIB, SlablabError } from '../../../base/index.js';
import {
  ORDER_MAX,
  readWhatIf,
  STRATEGIES,
  settingParts,
  splitSettings,
  UNSIGNED_MAX,
} from '../../../lab/index.js';
import { CPUS_MAX } from '../../../machine/index.js';
import { SLUB_MIN_OBJECTS_MAX } from '../../../slab/index.js';

interface CommonControl {
  /** The word of the setting, as lab/what-if/what-if.ts has it. */
  readonly word: string;
  readonly label: string;
  /** What it does, in a sentence. */
  readonly about: string;
}

/** What a setting is chosen with. */
export type Control = CommonControl &
  (
    | {
        readonly kind: 'choice';
        readonly choices: readonly (readonly [value: string, label: string])[];
      }
    | { readonly kind: 'number'; readonly least: number; readonly most: number; readonly unit: string }
    /** Any text, with some that are likely. */
    | { readonly kind: 'text'; readonly example: string; readonly likely: readonly string[] }
  );

const FLAGS = [
  'HWCACHE_ALIGN',
  'RECLAIM_ACCOUNT',
  'ACCOUNT',
  'CACHE_DMA32',
  'CACHE_DMA',
  'TYPESAFE_BY_RCU',
  'RED_ZONE',
  'POISON',
  'STORE_USER',
  'CONSISTENCY_CHECKS',
];
const DEBUG_LETTERS = ['FZPU', 'FZ', 'F', 'Z', 'P', 'U'];

export const MACHINE_CONTROLS: readonly Control[] = [
  {
    word: 'allocator',
    label: 'allocator',
    about: "The kernel's slab allocator.",
    kind: 'choice',
    choices: [
      ['slub', 'SLUB'],
      ['slab', 'SLAB'],
    ],
  },
  {
    word: 'page_size',
    label: 'page size',
    about:
      'Bytes of a page. With another one whole pages are left out: their events are of the recorded size.',
    kind: 'choice',
    choices: [
      ['4K', '4 KiB'],
      ['16K', '16 KiB'],
      ['64K', '64 KiB'],
    ],
  },
  {
    word: 'cpus',
    label: 'CPUs',
    about:
      'What follows from the number of CPUs changes; events of CPUs that there are no more go to the others in turn.',
    kind: 'number',
    least: 1,
    most: CPUS_MAX,
    unit: '',
  },
  {
    word: 'slab_nomerge',
    label: 'merging',
    about: 'Whether caches of like objects share one.',
    kind: 'choice',
    choices: [
      ['1', 'slab_nomerge: none'],
      ['0', 'where the rules allow it'],
    ],
  },
  {
    word: 'slub_max_order',
    label: 'highest order',
    about: 'slub_max_order: a slab is at most 2^order pages, if one object fits.',
    kind: 'number',
    least: 0,
    most: ORDER_MAX,
    unit: '',
  },
  {
    word: 'slub_min_order',
    label: 'lowest order',
    about: 'slub_min_order: a slab is at least 2^order pages.',
    kind: 'number',
    least: 0,
    most: ORDER_MAX,
    unit: '',
  },
  {
    word: 'slub_min_objects',
    label: 'least objects',
    about: 'slub_min_objects: as many a slab should have; 0 lets the number of CPUs decide.',
    kind: 'number',
    least: 0,
    most: SLUB_MIN_OBJECTS_MAX,
    unit: '',
  },
  {
    word: 'slub_debug',
    label: 'slub_debug',
    about:
      'F consistency checks, Z red zones, P poison, U user tracking; with caches behind a comma only those.',
    kind: 'text',
    example: 'FZPU',
    likely: DEBUG_LETTERS,
  },
  {
    word: 'cpu_partial',
    label: 'cpu_partial',
    about: 'Free objects that a CPU keeps in partial slabs, of all caches that do so.',
    kind: 'number',
    least: 0,
    most: UNSIGNED_MAX,
    unit: 'objects',
  },
  {
    word: 'min_partial',
    label: 'min_partial',
    about: 'Partial slabs that a node keeps even if they are empty, of all caches.',
    kind: 'number',
    least: 0,
    most: UNSIGNED_MAX,
    unit: 'slabs',
  },
  {
    word: 'sheaves',
    label: 'sheaves',
    about: 'Stacks of objects in front of the slabs for each CPU: slablab’s own, not those of Linux 6.18.',
    kind: 'choice',
    choices: [
      ['', 'objects by size'],
      ['32', '32 objects'],
      ['60', '60 objects'],
      ['128', '128 objects'],
    ],
  },
];

export const CACHE_CONTROLS: readonly Control[] = [
  {
    word: 'size',
    label: 'object size',
    about: 'Bytes of an object: a struct that grew or shrank.',
    kind: 'number',
    least: 1,
    most: 4 * MIB,
    unit: 'bytes',
  },
  {
    word: 'strategy',
    label: 'from',
    about: 'Its objects come from elsewhere, as those of `slablab compare` do.',
    kind: 'choice',
    choices: [...STRATEGIES].map(([id, { name }]) => [id, name] as const),
  },
  {
    word: 'flags+',
    label: 'gets flags',
    about: 'SLAB_* flags, with | between them.',
    kind: 'text',
    example: 'ACCOUNT',
    likely: FLAGS,
  },
  {
    word: 'flags-',
    label: 'loses flags',
    about: 'SLAB_* flags, with | between them.',
    kind: 'text',
    example: 'RECLAIM_ACCOUNT',
    likely: FLAGS,
  },
  {
    word: 'slub_debug',
    label: 'slub_debug',
    about: 'F consistency checks, Z red zones, P poison, U user tracking.',
    kind: 'text',
    example: 'U',
    likely: DEBUG_LETTERS,
  },
  {
    word: 'cpu_partial',
    label: 'cpu_partial',
    about: 'Free objects that a CPU keeps in partial slabs.',
    kind: 'number',
    least: 0,
    most: UNSIGNED_MAX,
    unit: 'objects',
  },
  {
    word: 'min_partial',
    label: 'min_partial',
    about: 'Partial slabs that a node keeps even if they are empty.',
    kind: 'number',
    least: 0,
    most: UNSIGNED_MAX,
    unit: 'slabs',
  },
];

/** What a word means by itself, without a value. */
const ALONE: ReadonlyMap<string, string> = new Map([
  ['slab_nomerge', '1'],
  ['slub_debug', 'FZPU'],
]);

/** What a control shows: the value of the last such setting; undefined without one. `cache` is '' for one of the machine. */
export function settingValue(text: string, cache: string, word: string): string | undefined {
  const value = splitSettings(text)
    .map(settingParts)
    .findLast((parts) => parts?.[0] === cache && parts[1] === word)?.[2];
  return value === '' ? (ALONE.get(word) ?? '') : value;
}

/** The text with a setting of this value in the place of what it had; undefined takes it out. */
export function withValue(text: string, cache: string, word: string, value: string | undefined): string {
  const settings = splitSettings(text);
  const isIt = (setting: string) => {
    const parts = settingParts(setting);
    return parts?.[0] === cache && parts[1] === word;
  };
  const place = settings.findIndex(isIt);
  const others = settings.filter((setting) => !isIt(setting));
  if (value === undefined) return others.join(' ');
  const setting = settingText(cache, word, value);
  return (place === -1 ? [...others, setting] : others.toSpliced(place, 0, setting)).join(' ');
}

function settingText(cache: string, word: string, value: string): string {
  if (cache !== '') return `${cache}.${word}=${value}`;
  return value === '' || ALONE.get(word) === value ? word : `${word}=${value}`;
}

/** The caches that settings name, in the order in which they come. */
export function cachesIn(text: string): string[] {
  const names = splitSettings(text).map((setting) => settingParts(setting)?.[0] ?? '');
  return [...new Set(names.filter((name) => name !== ''))];
}

/** The text without any setting of a cache. */
export function withoutCache(text: string, cache: string): string {
  return splitSettings(text)
    .filter((setting) => settingParts(setting)?.[0] !== cache)
    .join(' ');
}

/** What is wrong with a text, in words; undefined where nothing is. Whether a cache is there only the machine knows. */
export function problemOf(text: string): string | undefined {
  try {
    readWhatIf(text);
    return undefined;
  } catch (error) {
    if (error instanceof SlablabError) return error.message;
    throw error;
  }
}
