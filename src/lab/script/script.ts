/**
 * # A script: what happens on a machine, an operation a line
 *
 *     # Two users of one size share a cache.
 *     create tables 1024 align=1024 flags=CACHE_DMA32
 *     create more_tables 1024 align=1024 flags=CACHE_DMA32
 *     alloc tables 100 gfp=GFP_ATOMIC
 *     alloc more_tables 20 cpu=1
 *     free tables 50 order=random
 *     kmalloc 200 16
 *     shrink tables
 *
 * | operation | |
 * | --- | --- |
 * | `create NAME SIZE [align=N] [flags=A,B] [ctor] [useroffset=N] [usersize=N]` | a cache, or a share of one that is there |
 * | `alloc NAME [COUNT] [cpu=N] [gfp=A\|B]` | so many objects, 1 unless told |
 * | `free NAME COUNT\|all [order=lifo\|fifo\|random] [cpu=N]` | of this name's objects: newest first unless told |
 * | `shrink NAME`, `destroy NAME` | |
 * | `tune NAME LIMIT BATCHCOUNT SHARED` | SLAB's tunables, as a write to /proc/slabinfo |
 * | `wait TIME` | lets time pass, such as `500ms`, `10s` or `2m`: SLAB's reaper then gives back what lies unused |
 * | `kmalloc SIZE [COUNT] [cpu=N] [gfp=A\|B]` | freed by the name of the cache that they came from: `free kmalloc-256 all` |
 *
 * Sizes may be written `4K` or `0x1000`; `#` begins a comment. A name is one that the script created, or a cache or link of the machine.
 * Each name has its own objects, also where names share a cache. `random` is the same at each run.
 *
 *     const machine = Machine.create({ standing: true });
 *     runScript(machine, parseScript(text, 'tables.slab'));
 */
import {
  ArgumentError,
  type Gfp,
  LiveObjectsError,
  lookUp,
  NULL,
  type PhysAddr,
  parseSize,
  Random,
} from '../../base/index.js';
import { GFP, parseGfp } from '../../machine/index.js';
import {
  type CacheOptions,
  type KmemCache,
  type Machine,
  parseSlabFlags,
  type SlabTunables,
} from '../../slab/index.js';
import { refuseOtherFile } from '../../trace/index.js';
import { atLine, parseLines, readCount, type Verb, type Words } from './words.js';

/** Which objects a `free` of a script takes first: the newest, the oldest, or any. */
export type FreeOrder = 'lifo' | 'fifo' | 'random';

/** What one line of a script does. */
export type Operation =
  | { readonly kind: 'create'; readonly name: string; readonly size: number; readonly options: CacheOptions }
  | {
      readonly kind: 'alloc';
      readonly name: string;
      readonly count: number;
      readonly cpu: number;
      readonly gfp: Gfp;
    }
  | {
      readonly kind: 'free';
      readonly name: string;
      readonly count: number | 'all';
      readonly cpu: number;
      readonly order: FreeOrder;
    }
  | { readonly kind: 'shrink' | 'destroy'; readonly name: string }
  | {
      readonly kind: 'kmalloc';
      readonly size: number;
      readonly count: number;
      readonly cpu: number;
      readonly gfp: Gfp;
    }
  | { readonly kind: 'tune'; readonly name: string; readonly tunables: SlabTunables }
  | { readonly kind: 'wait'; readonly milliseconds: number };

/** An operation and the line that it stands on. */
export type ScriptLine = Operation & { readonly line: number };

/** A script that was read. */
export interface Script {
  readonly file: string;
  readonly lines: readonly ScriptLine[];
}

/** What kmalloc takes from the page allocator belongs to no cache; this is its name in `free`. */
const LARGE = 'kmalloc-large';

function cpuNumber(text: string): number {
  if (!/^\d+$/.test(text))
    throw new ArgumentError(`expected the number of a CPU, but there stands '${text}'`);
  return Number(text);
}

function sharedFactor(text: string): number {
  if (!/^\d+$/.test(text)) throw new ArgumentError(`expected a number from 0 on, but there stands '${text}'`);
  return Number(text);
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

function milliseconds(text: string): number {
  const [, digits, unit] = /^(\d+)(ms|s|m)$/.exec(text) ?? [];
  if (unit === undefined)
    throw new ArgumentError(`expected a time such as 500ms, 10s or 2m, but there stands '${text}'`);
  return Number(digits) * UNITS_MS[unit]!;
}

const ORDERS: ReadonlyMap<string, FreeOrder> = new Map([
  ['lifo', 'lifo'],
  ['fifo', 'fifo'],
  ['random', 'random'],
]);

const VERBS: ReadonlyMap<string, Verb<Operation>> = new Map(
  Object.entries({
    create: {
      usage: 'create NAME SIZE [align=N] [flags=A,B] [ctor] [useroffset=N] [usersize=N]',
      read: (words) => {
        const ctor = words.has('ctor');
        return {
          kind: 'create',
          name: words.next('a name'),
          size: parseSize(words.next('a size')),
          options: {
            align: words.option('align', parseSize, 0),
            flags: words.option<number>('flags', parseSlabFlags, 0),
            useroffset: words.option('useroffset', parseSize, 0),
            usersize: words.option('usersize', parseSize, 0),
            ...(ctor && { ctor: () => {} }),
          },
        };
      },
    },
    alloc: {
      usage: 'alloc NAME [COUNT] [cpu=N] [gfp=A|B]',
      read: (words) => ({ kind: 'alloc', name: words.next('a name'), ...howMany(words) }),
    },
    free: {
      usage: 'free NAME COUNT|all [order=lifo|fifo|random] [cpu=N]',
      read: (words) => {
        const name = words.next('a name');
        const many = words.next("a count or 'all'");
        return {
          kind: 'free',
          name,
          count: many === 'all' ? many : readCount(many),
          cpu: words.option('cpu', cpuNumber, 0),
          order: words.option<FreeOrder>('order', (text) => lookUp('order', text, ORDERS), 'lifo'),
        };
      },
    },
    shrink: { usage: 'shrink NAME', read: (words) => ({ kind: 'shrink', name: words.next('a name') }) },
    destroy: { usage: 'destroy NAME', read: (words) => ({ kind: 'destroy', name: words.next('a name') }) },
    tune: {
      usage: 'tune NAME LIMIT BATCHCOUNT SHARED',
      read: (words) => ({
        kind: 'tune',
        name: words.next('a name'),
        tunables: {
          limit: readCount(words.next('a limit')),
          batchcount: readCount(words.next('a batchcount')),
          sharedFactor: sharedFactor(words.next('how many batches are shared')),
        },
      }),
    },
    wait: {
      usage: 'wait TIME, such as 500ms, 10s or 2m',
      read: (words) => ({ kind: 'wait', milliseconds: milliseconds(words.next('a time')) }),
    },
    kmalloc: {
      usage: 'kmalloc SIZE [COUNT] [cpu=N] [gfp=A|B]',
      read: (words) => ({ kind: 'kmalloc', size: parseSize(words.next('a size')), ...howMany(words) }),
    },
  } satisfies Record<string, Verb<Operation>>),
);

function howMany(words: Words): { count: number; cpu: number; gfp: Gfp } {
  return {
    count: readCount(words.optional() ?? '1'),
    cpu: words.option('cpu', cpuNumber, 0),
    gfp: words.option('gfp', parseGfp, GFP.KERNEL),
  };
}

/** Reads a script. Throws InputError with the line, what was expected there and what stands there. */
export function parseScript(text: string, file: string): Script {
  refuseOtherFile(text, file, 'a script');
  return { file, lines: parseLines(text, file, VERBS) };
}

/** Runs a script on a machine. Throws InputError with the line whose operation cannot be done; what came before it is done. */
export function runScript(machine: Machine, { file, lines }: Script): void {
  const run = new ScriptRun(machine);
  for (const each of lines) atLine(file, each.line, () => run.do(each));
}

/** So many operations of a script create a cache. */
export function cachesCreated({ lines }: Script): number {
  return lines.reduce((count, { kind }) => count + (kind === 'create' ? 1 : 0), 0);
}

/**
 * Takes values out of a list, one after the other: each time the one at `below(how many there are left)`. Which those are is what splicing
 * them out would give; where that would move the whole list too often, a Fenwick tree of what is left finds each in log steps.
 */
export function takeAtRandom<T>(list: T[], times: number, below: (limit: number) => number): T[] {
  const count = list.length;
  if (times < 32 || times < count / 1024)
    return Array.from({ length: times }, () => list.splice(below(list.length), 1)[0]!);
  const left = Int32Array.from({ length: count + 1 }, (_, i) => i & -i);
  const gone = new Uint8Array(count);
  const taken: T[] = [];
  const highest = 2 ** Math.floor(Math.log2(count));
  while (taken.length < times) {
    let rank = below(count - taken.length);
    let place = 0;
    for (let step = highest; step >= 1; step /= 2) {
      if (place + step > count || left[place + step]! > rank) continue;
      place += step;
      rank -= left[place]!;
    }
    for (let i = place + 1; i <= count; i += i & -i) left[i]!--;
    gone[place] = 1;
    taken.push(list[place]!);
  }
  let kept = 0;
  for (let i = 0; i < count; i++) if (gone[i] === 0) list[kept++] = list[i]!;
  list.length = kept;
  return taken;
}

/** A name of the script: its cache, and the objects that it holds, oldest first. */
interface User {
  readonly cache: KmemCache | undefined;
  readonly objects: PhysAddr[];
}

class ScriptRun {
  readonly #machine: Machine;
  readonly #users = new Map<string, User>();
  readonly #random = new Random(1);

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  do(line: ScriptLine): void {
    switch (line.kind) {
      case 'create':
        return this.#create(line.name, line.size, line.options);
      case 'alloc':
        return this.#take(line.count, () => this.#allocFrom(line.name, line.gfp, line.cpu));
      case 'kmalloc':
        return this.#take(line.count, () => this.#kmalloc(line.size, line.gfp, line.cpu));
      case 'free':
        return this.#free(line.name, line.count, line.order, line.cpu);
      case 'shrink':
        this.#cacheOf(line.name).shrink();
        return;
      case 'destroy':
        return this.#destroy(line.name);
      case 'tune':
        return this.#cacheOf(line.name).setTunables(line.tunables);
      case 'wait':
        return this.#machine.advance(line.milliseconds);
    }
  }

  /** Where the cache has other users the kernel would take the name away and leave its objects to nobody. */
  #destroy(name: string): void {
    const cache = this.#cacheOf(name);
    const live = this.#users.get(name)!.objects.length;
    if (live > 0) throw new LiveObjectsError(name, live);
    cache.destroy();
    this.#users.delete(name);
  }

  #create(name: string, size: number, options: CacheOptions): void {
    if ((this.#users.get(name)?.objects.length ?? 0) > 0)
      throw new ArgumentError(`${name} has live objects already: destroy it or choose another name`);
    const cache = this.#machine.kmemCacheCreate(name, size, options);
    if (cache === null)
      throw new ArgumentError(this.#machine.log.lines.at(-1) ?? `${name}: no cache was made`);
    this.#users.set(name, { cache, objects: [] });
  }

  #take(times: number, one: () => PhysAddr): void {
    for (let done = 0; done < times; done++) {
      if (one() === NULL)
        throw new ArgumentError(`the machine has no memory left: ${done} of ${times} were handed out`);
    }
  }

  #allocFrom(name: string, gfp: Gfp, cpu: number): PhysAddr {
    const cache = this.#cacheOf(name);
    const address = cache.alloc(gfp, cpu);
    if (address !== NULL) this.#users.get(name)!.objects.push(address);
    return address;
  }

  #kmalloc(size: number, gfp: Gfp, cpu: number): PhysAddr {
    const address = this.#machine.kmalloc(size, gfp, cpu);
    if (size === 0 || address === NULL) return address;
    const cache = this.#machine.whereIs(address)?.cache;
    this.#user(cache?.name ?? LARGE, cache).objects.push(address);
    return address;
  }

  #free(name: string, many: number | 'all', order: FreeOrder, cpu: number): void {
    const { cache, objects } = this.#users.get(name) ?? this.#user(name, this.#machineCache(name));
    const times = many === 'all' ? objects.length : many;
    if (times > objects.length)
      throw new ArgumentError(
        `'${name}' has ${objects.length} live object${objects.length === 1 ? '' : 's'}: cannot free ${times}`,
      );
    for (const address of this.#pick(objects, times, order)) {
      if (cache === undefined) this.#machine.kfree(address, cpu);
      else cache.free(address, cpu);
    }
  }

  /** Takes so many out of the list. */
  #pick(objects: PhysAddr[], times: number, order: FreeOrder): PhysAddr[] {
    if (order === 'fifo') return objects.splice(0, times);
    if (order === 'lifo') return objects.splice(objects.length - times).reverse();
    return takeAtRandom(objects, times, (limit) => this.#random.below(limit));
  }

  #user(name: string, cache: KmemCache | undefined): User {
    let user = this.#users.get(name);
    if (user === undefined) {
      user = { cache, objects: [] };
      this.#users.set(name, user);
    }
    return user;
  }

  #cacheOf(name: string): KmemCache {
    return this.#user(name, this.#users.get(name)?.cache ?? this.#machineCache(name)).cache!;
  }

  /** A cache that the script did not make. Throws UnknownNameError with names that are near. */
  #machineCache(name: string): KmemCache {
    const caches = this.#machine.caches();
    const known = new Map(caches.map((cache) => [cache.name, cache]));
    const byId = new Map(caches.map((cache) => [cache.sysfsId, cache]));
    for (const link of this.#machine.links()) {
      const cache = byId.get(link.target);
      if (cache !== undefined) known.set(link.name, cache);
    }
    for (const [own, { cache }] of this.#users) if (cache !== undefined) known.set(own, cache);
    return lookUp('cache', name, known);
  }
}
