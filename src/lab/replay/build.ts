/**
 * # From a plan and a what-if to a machine, and to where each class's objects come from
 *
 *     plan ──────╮
 *     what-if ───┼─▸ Machine with its caches,  route of class 0, route of class 1, …
 *     classes ───╯
 *
 * 1. What a what-if does not touch is adopted as it was recorded. If it changes what layouts follow from, they are made anew by the
 *    kernel's rules.
 * 2. A cache whose size or flags change is created after the others, by the kernel's own rule: it may now merge with another, or no
 *    longer.
 * 3. Caches that were merged are one in the events. Where a what-if parts them (slab_nomerge, a debug flag, a change of one of them) the
 *    classes are told apart by what their functions are known to allocate from (trace/resolve/class-sites.ts); the others stay with the
 *    cache whose name the frees gave.
 * 4. A class that no cache of the plan has gets one made from its bytes (evidence.ts). A free of something whose size nobody told frees
 *    nothing: no slab is made for it.
 * 5. Large kmallocs are whole pages. Where pages are traced their own events tell of them, just before; where one does not, they are taken
 *    all the same.
 * 6. kmalloc goes to the class of sizes that it went to; where the sizes are others now, to the smallest that is large enough.
 */

import { lookUp } from '../../base/index.js';
import { GFP } from '../../machine/index.js';
import { KERNELS, kernelWith, Machine, type MachineOptions, SLAB_DEBUG_FLAGS } from '../../slab/index.js';
import type { ClassCache, TraceClass } from '../../trace/index.js';
import { ledgerRoom } from '../boot/index.js';
import { STRATEGIES, type Strategy } from '../compare/index.js';
import { type MachinePlan, withPageSize } from '../evidence/index.js';
import type { CacheChange, WhatIf } from '../what-if/index.js';
import { PlanCaches, type ReplayCache, remakes } from './plan-caches.js';
import { MADE_MAX, type Route, Router } from './routes.js';

/** A machine that was built for a replay, and where its classes allocate. */
export interface BuiltMachine {
  readonly machine: Machine;
  /** By class of the trace. */
  readonly routes: readonly Route[];
  /** In the order of their creation; one that two specs share is there once. */
  readonly caches: readonly ReplayCache[];
  readonly strategies: readonly Strategy[];
  /** The cache of a name of the plan: of several that a what-if parted, the first one's. */
  find(name: string): ReplayCache | undefined;
  /** Whether blocks of pages that are nobody's slab are replayed. */
  readonly replaysPages: boolean;
  /** What a person should know: one sentence each. */
  readonly notes: readonly string[];
}

interface BuildOptions {
  readonly plan: MachinePlan;
  readonly whatIf: WhatIf;
  readonly classes: readonly TraceClass[];
  readonly names: readonly ClassCache[];
}

/** Room for caches in any case. */
const CACHES_LEAST = 512;

const NO_PAGES = 'pages that are no slab are left out: their events are of another page size';

/** Throws UnknownNameError for a cache that there is none of, ArgumentError for settings that make no machine. */
export function buildMachine({ plan, whatIf, classes, names }: BuildOptions): BuiltMachine {
  const specs = new Map(
    plan.caches.flatMap((spec) => [spec.name, ...spec.names].map((name) => [name, spec] as const)),
  );
  const rows = Math.max(specs.size + MADE_MAX, CACHES_LEAST);
  const machineOptions = optionsOf(plan, whatIf);
  const room = ledgerRoom(machineOptions, whatIf.pageSize ?? plan.kernel.pageSize, mostAtOnce(plan, classes));
  const machine = Machine.create({ ...machineOptions, ledger: { caches: rows, ...room } });
  const caches = new PlanCaches({ plan, whatIf, classes, names, specs, machine });
  const strategies = new Map<ReplayCache, Strategy>();
  const changes = caches.changes();
  caches.adoptUnchanged(changes);
  for (const { name, change } of changes) {
    if (remakes(change)) caches.remake(name, change);
    tune(machine, strategies, caches.byName.get(name)!, change);
  }
  tuneAll(caches.list, whatIf);
  const router = new Router({ plan, classes, names, caches, strategies });
  const routes = classes.map((_, id) => router.route(id));
  const { replaysPages } = router;
  if (!replaysPages) caches.notes.push(NO_PAGES);
  const leftOut = router.leftOut();
  if (leftOut !== undefined) caches.notes.push(leftOut);
  return {
    machine,
    routes,
    caches: caches.list,
    strategies: [...strategies.values()],
    find: (name) => caches.find(name),
    replaysPages,
    notes: caches.notes,
  };
}

/** What there can be at most at the same time: all objects of before, each in a slab of its own, and a slab for each allocation. */
function mostAtOnce(
  plan: MachinePlan,
  classes: readonly TraceClass[],
): { readonly slabs: number; readonly objects: number } {
  const { caches } = plan;
  const before = caches.reduce((sum, { capacity = 0 }) => sum + capacity, 0);
  const slabs = classes.reduce((sum, { allocs }) => sum + allocs, 0);
  // A what-if can make slabs twice as large, or pages: then there are as many fewer of them.
  const perSlab = caches.reduce((most, { layout }) => Math.max(most, layout.oo.objects), 64);
  return { slabs: before + slabs, objects: 2 * before + slabs * perSlab };
}

function tune(
  machine: Machine,
  strategies: Map<ReplayCache, Strategy>,
  made: ReplayCache,
  { cpuPartial, minPartial, strategy }: CacheChange,
): void {
  if (cpuPartial !== undefined) made.cache.setCpuPartial(cpuPartial);
  if (minPartial !== undefined) made.cache.setMinPartial(minPartial);
  if (strategy === undefined) return;
  const { objectSize, align } = made.spec;
  const request = { size: objectSize, align: Math.max(align, 8), gfp: GFP.KERNEL };
  strategies.set(made, lookUp('strategy', strategy, STRATEGIES).open(machine, request));
}

/** What a what-if says of all caches, for those that it says nothing of by name. */
function tuneAll(list: readonly ReplayCache[], { cpuPartial, minPartial, caches }: WhatIf): void {
  for (const { spec, cache } of list) {
    const own = [spec.name, ...spec.names]
      .map((name) => caches.get(name))
      .find((change) => change !== undefined);
    const debugged = (cache.info.flags & SLAB_DEBUG_FLAGS) !== 0;
    if (cpuPartial !== undefined && own?.cpuPartial === undefined && !debugged)
      cache.setCpuPartial(cpuPartial);
    if (minPartial !== undefined && own?.minPartial === undefined) cache.setMinPartial(minPartial);
  }
}

/** What the machine is made with. */
function optionsOf({ kernel, options }: MachinePlan, whatIf: WhatIf): MachineOptions {
  const allocator = whatIf.allocator ?? options.allocator ?? 'slub';
  const isOther = allocator !== kernel.allocator;
  let profile = isOther ? kernelWith(lookUp('kernel', kernel.name, KERNELS), allocator) : kernel;
  if (whatIf.pageSize !== undefined) profile = withPageSize(profile, whatIf.pageSize);
  const given = {
    slubMinOrder: 0,
    slubMaxOrder: 0,
    slubMinObjects: 0,
    slubNomerge: 0,
    slubDebug: 0,
    cpus: 0,
  };
  const changed = Object.fromEntries(
    Object.entries(whatIf).filter(([key, value]) => key in given && value !== undefined),
  );
  const { sheaves } = whatIf;
  if (sheaves === 'usual') profile = { ...profile, sheaves: true };
  return {
    ...options,
    kernel: profile,
    allocator,
    ...changed,
    ...(typeof sheaves === 'number' && { sheafCapacity: sheaves }),
    // What lies in a sheaf must not look live to whoever counts at the end.
    ...(sheaves !== undefined && { liveCheck: true }),
  };
}
