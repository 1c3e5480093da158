/**
 * # What the trace itself says of its machine's caches
 *
 * A preset is a list of caches that a booted kernel of some configuration has. The recorded machine is another one: what its events say of
 * a cache holds, and the preset gives way. Of each cache that has events
 *
 *  - the name is that of its classes (trace/resolve/classes.ts);
 *  - the distance of its objects is `bytes_alloc`, and an object has at least the `bytes_req` that were asked for;
 *  - the order of its slabs is that of the pages that were taken for it, where pointers are real and pages are traced; else the kernel's
 *    rules give it from the distance and the number of CPUs;
 *  - flags, limits and constructors, which no event tells, are the preset's, if it knows a cache of that name.
 *
 * What has no event keeps the preset's size, and no object is ever put into it: a free of something whose size nobody told frees nothing.
 *
 * What the events say of the machine: its CPUs are those that have events (a single odd line is not believed), its page is what real
 * pointers show, its allocator is SLAB where SLAB's own functions allocate. Its memory holds what was live at once.
 */
import { type KernelProfile, type MachineBoot, SLAB, SLAB_DEBUG_FLAGS } from '../../slab/index.js';
import {
  CLASS_KIND,
  type ClassCache,
  OP,
  OP_MASK,
  SLAB_PAGES,
  type Trace,
  type TraceClass,
} from '../../trace/index.js';
import { bootOf, type CacheSpec, layoutOf, type MachinePlan, withLayout } from './plan.js';

/** Functions of SLAB that allocate for a slab itself: its list of free objects, which a machine with SLAB allocates by itself. */
export const SLABS_OWN: ReadonlySet<string> = new Set([
  'cache_alloc_refill',
  'cache_grow_begin',
  'fallback_alloc',
  '____cache_alloc',
  '____cache_alloc_node',
]);

/** SLAB where its own functions are among those that allocate; undefined where nothing tells. */
export function allocatorShown(classes: readonly TraceClass[]): 'slab' | undefined {
  return classes.some(({ site }) => SLABS_OWN.has(site)) ? 'slab' : undefined;
}

/** What a board has unless told, and what more is a multiple of. */
const MEMORY_USUAL = 6 * 2 ** 30;
const MEMORY_STEP = 2 ** 30;
/** Room for what nobody asked for: other pages, slabs that are not full. */
const MEMORY_SPARE = 4;

/** Bytes of memory that a machine needs at least, of which nothing is known but its trace; undefined where any usual one has them. */
export function memoryNeeded(trace: Trace): number | undefined {
  const bytesOf = Float64Array.from(trace.classes, ({ kind, order, bytesReq, bytesAlloc }) =>
    kind === CLASS_KIND.PAGES ? 4096 * 2 ** order : Math.max(bytesReq, bytesAlloc),
  );
  const ever = trace.classes.reduce((sum, { allocs }, id) => sum + allocs * bytesOf[id]!, 0);
  if (ever * MEMORY_SPARE <= MEMORY_USUAL) return undefined;
  const held = new Float64Array(trace.slots);
  let now = 0;
  let most = 0;
  for (const { op, class: classes, slot, rows } of trace.chunks(['op', 'class', 'slot'])) {
    for (let i = 0; i < rows; i++) {
      const kind = op[i]! & OP_MASK;
      const at = slot[i]!;
      if (at < 0 || kind === OP.NONE || kind === OP.MARK || kind === OP.LOST) continue;
      now -= held[at]!;
      held[at] = 0;
      if (kind === OP.ALLOC || (kind === OP.PAGE_ALLOC && !(op[i]! & SLAB_PAGES))) {
        held[at] = bytesOf[classes[i]!]!;
        now += held[at]!;
        if (now > most) most = now;
      }
    }
  }
  const needed = Math.ceil((most * MEMORY_SPARE) / MEMORY_STEP) * MEMORY_STEP;
  return needed > MEMORY_USUAL ? needed : undefined;
}

/** A preset, with the caches that have events as those say. Another plan stays as it is. */
export function fitToEvents(
  plan: MachinePlan,
  classes: readonly TraceClass[],
  names: readonly ClassCache[],
): MachinePlan {
  if (!plan.isPreset) return plan;
  const boot = bootOf(plan.options);
  const groups = groupsOf(classes, names);
  const others: string[] = [];
  const caches = plan.caches.map((spec): CacheSpec => {
    const users = groups.get(spec.name);
    // A cache with events under its own name shares nothing here.
    const rest = spec.names.filter((name, i) => i === 0 || name === spec.name || !groups.has(name));
    const alone = rest.length === spec.names.length ? spec : { ...spec, names: rest };
    if (users === undefined) return alone;
    const fitted = specFromEvents(spec.name, users, alone, plan, boot) ?? alone;
    if (fitted.layout.size !== spec.layout.size)
      others.push(`${spec.names[0]!} ${fitted.layout.size} (${spec.layout.size})`);
    return { ...fitted, source: 'events' };
  });
  if (others.length === 0) return { ...plan, caches };
  const told = others.slice(0, TOLD).join(', ');
  const rest = others.length > TOLD ? ` and ${others.length - TOLD} more` : '';
  const words =
    `${others.length === 1 ? '1 cache has' : `${others.length} caches have`} objects of other bytes by their events than Linux ` +
    `${plan.kernel.name} usually has, and the events hold: ${told}${rest}`;
  return { ...plan, caches, assumed: [...plan.assumed, words] };
}

function groupsOf(
  classes: readonly TraceClass[],
  names: readonly ClassCache[],
): ReadonlyMap<string, readonly TraceClass[]> {
  const groups = new Map<string, TraceClass[]>();
  for (const [id, traced] of classes.entries()) {
    if (traced.kind !== CLASS_KIND.CACHE && traced.kind !== CLASS_KIND.KMALLOC) continue;
    const { name } = names[id]!;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [traced]);
    else group.push(traced);
  }
  return groups;
}

/** How many names a sentence tells. */
const TOLD = 4;

/** Flags that make more of an object than its bytes: the distance has that already. */
export const IN_THE_DISTANCE = SLAB.HWCACHE_ALIGN | SLAB.TYPESAFE_BY_RCU | SLAB_DEBUG_FLAGS;

/**
 * The cache of some classes by what their events say; `like` is what is known of a cache of that name otherwise. Undefined where no slab
 * could hold its objects, or where no event tells their size.
 */
export function specFromEvents(
  name: string,
  classes: readonly TraceClass[],
  like: CacheSpec | undefined,
  plan: Pick<MachinePlan, 'kernel' | 'showsOrders'>,
  boot: MachineBoot,
  kernel: KernelProfile = plan.kernel,
): CacheSpec | undefined {
  const largest = kernel.pageSize * 2 ** (kernel.orders - 1);
  let distance = 0;
  let asked = 0;
  for (const { bytesReq, bytesAlloc } of classes) {
    if (Math.max(bytesAlloc, bytesReq) > largest) continue;
    distance = Math.max(distance, bytesAlloc, bytesReq);
    asked = Math.max(asked, bytesReq);
  }
  if (distance === 0) return undefined;
  const isKmalloc = classes.some(({ kind }) => kind === CLASS_KIND.KMALLOC);
  const isAsKnown = like !== undefined && like.layout.size === distance && like.grownSize >= asked;
  const spec = isAsKnown
    ? like
    : {
        ...(like ?? {
          name,
          names: [name],
          flags: isKmalloc ? SLAB.KMALLOC : SLAB.NONE,
          ctor: false,
          useroffset: 0,
          usersize: 0,
          freeptrOffset: undefined,
          capacity: undefined,
          source: 'events' as const,
        }),
        objectSize: asked || distance,
        grownSize: distance,
        align: like?.align ?? 0,
      };
  const order = plan.showsOrders ? orderShown(classes) : undefined;
  if (isAsKnown && (order === undefined || order === like.layout.oo.order)) return like;
  const ruled = layoutOf(
    { ...spec, objectSize: distance, align: 0, ctor: false, flags: spec.flags & ~IN_THE_DISTANCE },
    kernel,
    boot,
  );
  if (ruled === null) return undefined;
  const objects = order === undefined ? 0 : Math.floor((kernel.pageSize * 2 ** order) / ruled.size);
  // Where a list of indices may lie in a slab too, only the rules say how many objects there are.
  const isShown = order !== undefined && objects > 0 && !kernel.has.indexFreelist;
  const recorded = isShown ? { ...ruled, oo: { order, objects } } : ruled;
  return withLayout({ ...spec, useroffset: 0, usersize: 0 }, recorded, kernel, boot);
}

/** Orders that pages were taken in, if most of the time it was one: a smaller one is what is taken when memory is short. */
function orderShown(classes: readonly TraceClass[]): number | undefined {
  const counts = new Map<number, number>();
  let all = 0;
  for (const { grew } of classes)
    for (const [order, count] of grew) {
      counts.set(order, (counts.get(order) ?? 0) + count);
      all += count;
    }
  const [most] = [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0]);
  return most !== undefined && most[1] * 2 > all ? most[0] : undefined;
}
