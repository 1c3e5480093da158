/**
 * # What a step did, in the kernel's words
 *
 * SLUB counts what it does (CONFIG_SLUB_STATS, slab/cache/statistics.ts): the counters that a step has raised say which way it went. SLAB
 * counts nothing; there the pictures from before and after the step are compared. Each sentence stands behind the function of Linux 6.1
 * that does it.
 */
import { formatAddress, formatBytes, pushAll } from '../../../base/index.js';
import { __GFP } from '../../../machine/index.js';
import type { Statistic } from '../../../slab/index.js';
import type { CachePicture, Picture, ZonePicture } from './picture.js';

interface Sentence {
  /** A function of the kernel's; empty where no single one does it. */
  readonly by: string;
  readonly words: string;
}

export interface Story {
  /** Which way it went, in two or three words: `fast path`. */
  readonly path: string;
  readonly sentences: readonly Sentence[];
}

/** What a story is made from: a cache before and after. */
export interface Happened {
  readonly before: Picture;
  readonly after: Picture;
  /** The cache's id, and its pictures; undefined before it was made and after it went. */
  readonly was: CachePicture | undefined;
  readonly is: CachePicture | undefined;
  /** How often each event was counted meanwhile; empty on a machine that does not count. */
  readonly counted: ReadonlyMap<Statistic, number>;
  readonly cpu: number;
  /** The object that was handed out or freed; undefined where there was no memory. */
  readonly object: { readonly address: number; readonly slab: number; readonly index: number } | undefined;
}

/** Bytes. */
const PAGE = 4096;

const say = (by: string, words: string): Sentence => ({ by, words });
const many = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`;
const when = (condition: boolean, ...sentences: Sentence[]): Sentence[] => (condition ? sentences : []);

// ---- pages ---------------------------------------------------------------------------------------------------------------

/** Which zone gave or got back pages, and how blocks were halved or joined. */
function pagesStory({ before, after }: Happened): Sentence[] {
  return after.zones.flatMap((zone, i) => {
    const old = before.zones[i]!;
    const pages = old.free - zone.free;
    if (pages === 0) return [];
    return [pages > 0 ? givenWords(old, zone, pages) : takenWords(old, zone, -pages)];
  });
}

function givenWords(old: ZonePicture, zone: ZonePicture, pages: number): Sentence {
  const order = Math.log2(pages);
  const from = old.freeBlocks.findLastIndex((count, at) => count > zone.freeBlocks[at]!);
  const whole = `zone ${zone.name} gives a block of order ${order}, ${many(pages, 'page')}`;
  const halved = Math.max(0, from - order);
  if (!Number.isInteger(order))
    return say('__alloc_pages', `zone ${zone.name} gives ${many(pages, 'page')}.`);
  const cut =
    halved === 0
      ? 'it has one of just that order'
      : `one of order ${from} is halved ${halved === 1 ? 'once' : `${halved} times`}, and the upper halves are listed`;
  return say('__alloc_pages', `${whole}: ${cut}.`);
}

function takenWords(old: ZonePicture, zone: ZonePicture, pages: number): Sentence {
  const to = zone.freeBlocks.findLastIndex((count, at) => count > old.freeBlocks[at]!);
  const largest = old.freeBlocks.findLastIndex((count) => count > 0);
  const joined = to > 0 && 2 ** to > pages ? ` Free buddies are joined, up to order ${to}.` : '';
  const whole = to > largest && to >= 0 ? ' It is the zone’s largest block now.' : '';
  return say('__free_pages', `zone ${zone.name} gets ${many(pages, 'page')} back.${joined}${whole}`);
}

/** Where a new slab lies, for who wonders about 32 bits. */
function newSlabWords({ was, is }: Happened): Sentence[] {
  const before = new Set((was?.slabs ?? []).map(({ serial }) => serial));
  return (is?.slabs ?? []).flatMap(({ serial, address, bytes, objects }) =>
    before.has(serial)
      ? []
      : [
          say(
            is?.info.slab === undefined ? 'allocate_slab' : 'cache_grow_begin',
            `slab ${serial} of ${formatBytes(bytes)} at ${formatAddress(address)} is cut into ${many(objects.length, 'object')}` +
              `${address >= 2 ** 32 ? ': above 4 GiB, where 32 bits do not reach' : ''}.`,
          ),
        ],
  );
}

const NO_MEMORY: Sentence = say(
  'slab_out_of_memory',
  'no zone that the cache may use has pages above its watermark: kmem_cache_alloc returns NULL.',
);

// ---- SLUB ------------------------------------------------------------------------------------------------------------------

export function slubAlloc(happened: Happened): Story {
  const { counted, cpu, object, is } = happened;
  const n = (event: Statistic) => counted.get(event) ?? 0;
  const handed = object && `object ${object.index} of slab ${object.slab}`;
  if (n('alloc_fastpath') > 0) {
    const words = `the head of c->freelist of CPU ${cpu} is taken off: ${handed}. Nothing is locked, nobody else is asked.`;
    return { path: 'fast path', sentences: [say('slab_alloc_node', words)] };
  }
  const debugged = is?.debugged === true;
  const refill =
    n('cpu_partial_alloc') > 0
      ? 'its own list has what was freed to it'
      : 'others freed objects to the active slab’s own list';
  const sentences = [
    say(
      '___slab_alloc',
      debugged
        ? 'a debugged cache has no c->freelist: each object comes from the node, one at a time.'
        : `c->freelist of CPU ${cpu} is empty.`,
    ),
    ...when(
      n('deactivate_bypass') > 0,
      say(
        'get_freelist',
        'its slab has no free object either. It is full, on no list, and the CPU forgets it.',
      ),
    ),
    ...when(
      n('cpu_partial_alloc') > 0,
      say('___slab_alloc', 'the first slab of the CPU’s partial list becomes active.'),
    ),
    ...when(n('alloc_refill') > 0, say('get_freelist', `${refill}: it becomes c->freelist as a whole.`)),
    ...when(
      n('alloc_from_partial') > 0,
      say(
        'get_partial_node',
        'the first slab of the node’s partial list becomes active, with all its free objects.',
      ),
    ),
    ...when(
      n('cpu_partial_node') > 0,
      say(
        'get_partial_node',
        `with it ${many(n('cpu_partial_node'), 'slab')} from there to the CPU’s partial list.`,
      ),
    ),
  ];
  if (n('alloc_slab') > 0) {
    sentences.push(say('new_slab', 'no list has a slab with free objects: a new one is made.'));
    if (n('order_fallback') > 0)
      sentences.push(
        say('allocate_slab', 'the preferred order is not available; the smallest one that fits is.'),
      );
    pushAll(sentences, [...pagesStory(happened), ...newSlabWords(happened)]);
  }
  if (object === undefined) return { path: 'no memory', sentences: [...sentences, NO_MEMORY] };
  sentences.push(say('', `CPU ${cpu} gets ${handed}.`));
  return { path: slowPath(n), sentences };
}

/** The last resort that was asked names the way. */
function slowPath(n: (event: Statistic) => number): string {
  if (n('alloc_slab') > 0) return 'slow path: new slab';
  if (n('alloc_from_partial') > 0) return 'slow path: node partial';
  if (n('cpu_partial_alloc') > 0) return 'slow path: CPU partial';
  return n('alloc_refill') > 0 ? 'slow path: slab’s own list' : 'slow path';
}

export function slubFree(happened: Happened): Story {
  const { counted, cpu, object, was, is } = happened;
  const n = (event: Statistic) => counted.get(event) ?? 0;
  const which = `object ${object?.index} of slab ${object?.slab}`;
  if (n('free_fastpath') > 0) {
    const words = `${which} belongs to the active slab of CPU ${cpu}: it becomes the head of c->freelist, and the next to be handed out.`;
    return { path: 'fast path', sentences: [say('do_slab_free', words)] };
  }
  if (is?.debugged === true) {
    const words = `a debugged cache is freed to with the node locked: ${which} goes back on its slab’s list.`;
    const sentences = [say('__slab_free', words), ...goneWords(happened)];
    return { path: 'debugged', sentences };
  }
  const head = say(
    '__slab_free',
    `${which} is not of CPU ${cpu}’s active slab: it becomes the head of its slab’s own list, slab->freelist.`,
  );
  if (n('free_frozen') > 0) {
    const keeper = was?.slabs.find(({ serial }) => serial === object?.slab)?.cpu;
    const who = keeper === undefined ? 'a CPU' : `CPU ${keeper}`;
    const words = `the slab is frozen: ${who} keeps it, and it stays where it is.`;
    return { path: 'slow path: frozen slab', sentences: [head, say('__slab_free', words)] };
  }
  if (n('cpu_partial_free') > 0) {
    const sentences = [
      head,
      ...when(
        n('cpu_partial_drain') > 0,
        say(
          'put_cpu_partial',
          `CPU ${cpu}’s partial list holds as many slabs as it may: all of it goes first.`,
        ),
        ...drainedWords(n),
      ),
      say(
        'put_cpu_partial',
        `the slab was full and on no list: CPU ${cpu}, which freed, puts it first on its partial list.`,
      ),
      ...goneWords(happened),
    ];
    return { path: 'slow path: to CPU partial', sentences };
  }
  if (n('free_remove_partial') > 0) {
    const words = `the slab is empty, and the node has min_partial (${is?.info.minPartial}) partial slabs: it is discarded.`;
    return {
      path: 'slow path: slab freed',
      sentences: [head, say('__slab_free', words), ...goneWords(happened)],
    };
  }
  const stays = is?.slabs.find(({ serial }) => serial === object?.slab)?.inUse === 0;
  const words = stays
    ? `the slab is empty, and stays on the node’s partial list all the same: that has not min_partial (${is?.info.minPartial}) slabs yet.`
    : 'the slab is on the node’s partial list, and stays at its place there.';
  return { path: 'slow path: node partial', sentences: [head, say('__slab_free', words)] };
}

function drainedWords(n: (event: Statistic) => number): Sentence[] {
  return [
    ...when(
      n('free_add_partial') > 0,
      say(
        '__unfreeze_partials',
        `${many(n('free_add_partial'), 'slab')} to the end of the node’s partial list.`,
      ),
    ),
    ...when(
      n('deactivate_empty') > 0,
      say('__unfreeze_partials', `${many(n('deactivate_empty'), 'slab')} with nothing live: discarded.`),
    ),
  ];
}

/** Slabs that were given back, and their pages. */
function goneWords(happened: Happened): Sentence[] {
  const left = new Set((happened.is?.slabs ?? []).map(({ serial }) => serial));
  const gone = (happened.was?.slabs ?? []).filter(({ serial }) => !left.has(serial));
  if (gone.length === 0) return [];
  const names = gone.map(({ serial }) => serial).join(', ');
  const by = happened.was?.info.slab === undefined ? 'discard_slab' : 'slab_destroy';
  return [
    say(
      by,
      `slab${gone.length === 1 ? '' : 's'} ${names} ${gone.length === 1 ? 'goes' : 'go'} back to the page allocator.`,
    ),
    ...pagesStory(happened),
  ];
}

export function slubShrink(happened: Happened): Story {
  const { counted, is } = happened;
  const flushed = counted.get('cpuslab_flush') ?? 0;
  const partial = is?.partial.length ?? 0;
  return {
    path: 'shrink',
    sentences: [
      say(
        'flush_all',
        flushed === 0
          ? 'each CPU gives up what it keeps: no CPU has an active slab.'
          : `each CPU gives up what it keeps: ${many(flushed, 'active slab')}, and all that is on CPU partial lists.`,
      ),
      say(
        '__kmem_cache_do_shrink',
        partial === 0
          ? 'no slab is left on the node’s partial list.'
          : `the node’s partial list is sorted, fullest first: ${many(partial, 'slab')}.`,
      ),
      ...goneWords(happened),
    ],
  };
}

// ---- SLAB ------------------------------------------------------------------------------------------------------------------

const availOf = (cache: CachePicture | undefined, cpu: number) =>
  cache?.cpus[cpu]?.array?.entries.length ?? 0;
const sharedOf = (cache: CachePicture | undefined) => cache?.shared?.entries.length ?? 0;

export function slabAlloc(happened: Happened): Story {
  const { was, is, cpu, object } = happened;
  const had = availOf(was, cpu);
  const handed = object && `object ${object.index} of slab ${object.slab}`;
  if (had > 0) {
    const words = `the array of CPU ${cpu} holds ${many(had, 'object')}: the one on top, ${handed}, is taken.`;
    return { path: 'fast path', sentences: [say('____cache_alloc', words)] };
  }
  const empty = say('____cache_alloc', `the array of CPU ${cpu} is empty: it is filled first.`);
  if (object === undefined) return { path: 'no memory', sentences: [empty, NO_MEMORY] };
  const moved = availOf(is, cpu) + 1;
  const top = say('____cache_alloc', `CPU ${cpu} gets the one on top: ${handed}.`);
  const batch = `${many(moved, 'object')}`;
  if (sharedOf(was) > sharedOf(is)) {
    const words = `${batch} from the array that the CPUs share.`;
    return { path: 'refill: shared array', sentences: [empty, say('transfer_objects', words), top] };
  }
  if ((is?.info.slabsMade ?? 0) > (was?.info.slabsMade ?? 0)) {
    const sentences = [
      empty,
      say('cache_alloc_refill', 'neither the shared array nor a slab has a free object.'),
      ...pagesStory(happened),
      ...newSlabWords(happened),
      say('alloc_block', `${batch} of the new slab go on the array, in order.`),
      top,
    ];
    return { path: 'refill: new slab', sentences };
  }
  const words = `${batch} from the lists of slabs: partial ones first, then free ones.`;
  return { path: 'refill: slabs', sentences: [empty, say('cache_alloc_refill', words), top] };
}

export function slabFree(happened: Happened): Story {
  const { was, is, cpu, object } = happened;
  const which = `object ${object?.index} of slab ${object?.slab}`;
  const had = availOf(was, cpu);
  const top = say('___cache_free', `${which} goes on top of CPU ${cpu}’s array, whichever slab it is of.`);
  if (availOf(is, cpu) === had + 1) return { path: 'fast path', sentences: [top] };
  const given = had + 1 - availOf(is, cpu);
  const full = say(
    'cache_flusharray',
    `the array of CPU ${cpu} is full: its oldest ${many(given, 'object')} go first.`,
  );
  const toShared = sharedOf(is) - sharedOf(was);
  if (toShared > 0) {
    const words = `${many(toShared, 'object')} to the array that the CPUs share.`;
    return { path: 'flush: shared array', sentences: [full, say('cache_flusharray', words), top] };
  }
  const words =
    'each goes back to its slab, and the slab to the end of the partial ones or, if empty, first among the free ones.';
  const sentences = [full, say('free_block', words), ...goneWords(happened), top];
  return { path: 'flush: slabs', sentences };
}

export function slabShrink(happened: Happened): Story {
  const arrays = say(
    'drain_cpu_caches',
    'what lies in the CPUs’ arrays and the shared one goes back to the slabs.',
  );
  const none = say('drain_freelist', 'no slab is free as a whole: none can be given back.');
  const gone = goneWords(happened);
  return { path: 'shrink', sentences: [arrays, ...(gone.length > 0 ? gone : [none])] };
}

export function waitStory(happened: Happened, milliseconds: number): Story {
  const time = `${milliseconds / 1000} s pass.`;
  if (happened.after.caches.every(({ info }) => info.slab === undefined))
    return { path: 'time passes', sentences: [say('', `${time} SLUB has nothing that time would change.`)] };
  const words = `${time} Each CPU’s reaper comes every 2 s and takes back a part of what lay unused in arrays and free slabs.`;
  return { path: 'time passes', sentences: [say('cache_reap', words), ...pagesStory(happened)] };
}

// ---- caches come and go ------------------------------------------------------------------------------------------------

export function createStory({ was, is }: Happened, name: string): Story {
  if (is === undefined) return { path: 'refused', sentences: [say('kmem_cache_create', 'returns NULL.')] };
  const { info } = is;
  if (was !== undefined) {
    const words = `${name} is like ${is.name} in all that counts: it becomes another name of it, with ${info.refcount} users.`;
    return { path: 'merged', sentences: [say('__kmem_cache_alias', words)] };
  }
  const waste = PAGE * 2 ** info.oo.order - info.oo.objects * info.size;
  const layout =
    `objects of ${info.objectSize} bytes take ${info.size} each: a slab of order ${info.oo.order} holds ${info.oo.objects}, ` +
    `and ${waste === 0 ? 'nothing is' : `${waste} bytes are`} left over.`;
  const none = `no slab is made yet. ${zoneWords(info.allocflags)}`;
  if (info.slab !== undefined) {
    const { limit, batchcount, sharedFactor } = info.slab;
    const arrays =
      `each CPU gets an array for ${many(limit, 'free object')}, of which ${batchcount} move at a time` +
      `${sharedFactor === 0 ? '' : `; one for ${sharedFactor * batchcount} is shared`}.`;
    const sentences = [
      say('__kmem_cache_create', layout),
      say('__kmem_cache_create', none),
      say('setup_cpu_cache', arrays),
    ];
    return { path: 'new cache', sentences };
  }
  const keeps = is.debugged
    ? say('kmem_cache_open', 'a debug flag is set: no CPU keeps anything, every step takes the node’s lock.')
    : say(
        'set_cpu_partial',
        `a CPU may keep ${many(info.cpuPartialSlabs, 'partial slab')} beside its active one.`,
      );
  return {
    path: 'new cache',
    sentences: [say('calculate_sizes', layout), say('kmem_cache_open', none), keeps],
  };
}

function zoneWords(allocflags: number): string {
  const zones = [...(allocflags & __GFP.DMA ? ['DMA'] : []), ...(allocflags & __GFP.DMA32 ? ['DMA32'] : [])];
  if (zones.length === 2) return 'Its pages would come from DMA and from DMA32, and no zone is both.';
  if (zones.length === 0) return 'Its pages come from Normal first, which lies above 4 GiB here.';
  return `Its pages come from ${zones[0]}${zones[0] === 'DMA32' ? ', below 4 GiB' : ', which this machine lacks: from Normal'}.`;
}

export function destroyStory(happened: Happened, name: string): Story {
  const { was, is } = happened;
  if (is === undefined)
    return {
      path: 'destroyed',
      sentences: [
        say('kmem_cache_destroy', `${name} is gone; all that it held is given back.`),
        ...goneWords(happened),
      ],
    };
  if (is.leaked && was?.leaked !== true) {
    const words = `${name} has live objects: it is reported, and what is left of it stays for ever. Nobody can use it any more.`;
    return { path: 'leaked', sentences: [say('kmem_cache_destroy', words), ...goneWords(happened)] };
  }
  const words = `${name} was one of several names: ${many(is.info.refcount, 'user')} of ${is.name} left, and nothing else happens.`;
  return { path: 'one user less', sentences: [say('kmem_cache_destroy', words)] };
}
