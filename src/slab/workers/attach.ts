/**
 * # CPUs come and go
 *
 *     const machine = Machine.create({ memory: '256M', shared: true, workers: 4 });     // this thread is CPU 0
 *     const token = machine.reserveCpu();                                               // { cpu: 1, generation: 1 }
 *     const worker = new Worker(url, { workerData: machine.handleFor(token) });
 *     worker.on('exit', () => machine.detachCpu(token));                                // nothing, if it said goodbye
 *
 *     const machine = Machine.attach(handle);                                           // in the Worker: that CPU
 *     machine.detach();                                                                 // gives back what its CPU kept
 *
 * Which states a CPU goes through, and what a token is: machine/cpus.ts. JavaScript cannot tell whether a thread lives; who ended or killed
 * it can, and says so by its token. A thread that leaves by itself is attached until the last step is done, and then absent at once: if it
 * dies at that, its heir begins like any other.
 *
 * ## What a death may cut through
 * The heir takes the dead CPU's place: it locks and notes in the journal under that CPU's name. So it may die too, and the next heir
 * begins again with the same words. Steps, each for all that died before the next one begins, inner locks first:
 *  a. a zone's lock: the free lists are made anew from the marks of what is handed out (machine/rebuild.ts). A block is marked in one
 *     write, before that it was not taken, and after that it is in the CPU's hand or its caller's;
 *  b. the links' lock: ids, link pages and counts are made anew from the slabs that have a cache;
 *  c. a slab's lock: what was locked did not take place. The word becomes what it was; objects that were being freed are live again,
 *     and the slab is with whom it was;
 *  d. a node's lock: its list is made anew of all slabs of the cache that are not frozen and have a free object. The lists of a debugged
 *     cache's slabs too, from links: what is neither live nor lost is free;
 *  e. a slab or a block in hand, on its way in or out, goes back (slabs/pages.ts);
 *  f. the table's lock: the list of caches is made anew from the rows, by age;
 *  g. its sheaves hold what was in them, and nothing that had left (sheaf/flush.ts);
 *  h. the slabs that it kept, active and partial: nobody else writes their links, so what is not live is free, on whichever
 *     list it was or between two. They get one list each and go to the node, and what its sheaves held goes back to its slabs.
 * After that nothing is half done, and every object is what it was before the call that was cut off, or what that call was to make it. An
 * alloc that was cut off may have marked its object and never returned it: such an object is live, and nobody knows it, as are those
 * that the dead thread had been given. A program that knows which objects those are frees them: `machine.liveObjects(cache)` names all.
 *
 * What a debug check had half written into an object's bytes is not undone: the next check of that object reports it.
 */
import { ArgumentError } from '../../base/index.js';
import {
  adoptOrphans,
  bury,
  C_BORN,
  C_FLAGS,
  C_LOCK,
  C_NEWER,
  C_NR_PARTIAL,
  C_NR_SLABS,
  C_OLDER,
  C_PARTIAL_HEAD,
  C_PARTIAL_TAIL,
  C_STATE,
  C_TRACKED_FULL_HEAD,
  C_TRACKED_FULL_TAIL,
  CACHE_ABSENT,
  CACHE_ALIVE,
  CACHE_LEAKED,
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  CPU_ATTACHED,
  CPU_RESERVED,
  CPU_WORDS,
  type CpuToken,
  checkToken,
  countersInUse,
  type DetachOutcome,
  endBurial,
  FRAME_USED,
  giveUpBurial,
  H_CACHE_NEWEST,
  H_CACHE_OLDEST,
  H_LINK_LOCK,
  H_SLAB_HIGH,
  H_TABLE_LOCK,
  J_CHAIN,
  J_CHAIN_WAS,
  J_HAND,
  J_HAND_FRAME,
  J_HAND_SLAB,
  J_LINE,
  J_SENT,
  J_SLAB,
  J_UNDOING,
  J_WORD,
  LINK_ARRAY,
  LINK_LIVE,
  LINK_LOST,
  leaveCpu,
  P_AVAIL,
  P_OBJECTS,
  P_OWN,
  P_PARTIAL,
  P_PARTIAL_COUNT,
  P_SLAB,
  type PhysicalMemory,
  packCounters,
  rebuildLinks,
  rebuildZone,
  shapeObjects,
  slabHolder,
  takeCpu,
  takeReserved,
  Z_LOCK,
  ZONE_WORDS,
} from '../../machine/index.js';
import { type CacheAllocator, cacheName, eachCpuLine } from '../cache/index.js';
import { SLAB_DEBUG_FLAGS } from '../kernel/index.js';
import { createNodeLists } from '../slabs/index.js';

/** Makes this thread the CPU that `reserved` names, or one that is absent. Throws ReservationError or NoCpuError. */
export function claimCpu({ ledger, locks }: PhysicalMemory, reserved?: CpuToken | null): void {
  locks.attach(reserved ? takeReserved(ledger, reserved) : takeCpu(ledger, CPU_ATTACHED));
}

/** Keeps a CPU for a thread that will come. Throws NoCpuError, and ArgumentError where no other thread can. */
export function reserveCpu({ ledger, locks }: PhysicalMemory): CpuToken {
  locks.check();
  if (!locks.shared)
    throw new ArgumentError('only a machine that was made with `shared: true` has CPUs for other threads');
  return takeCpu(ledger, CPU_RESERVED);
}

/** Throws ArgumentError for what is no token, and for this thread's own: who calls has not ended. */
export function checkEnded({ ledger, locks }: PhysicalMemory, tokens: readonly CpuToken[]): void {
  for (const token of tokens) {
    checkToken(ledger, token);
    if (token.cpu === locks.cpu && token.generation === locks.attachment?.generation)
      throw new ArgumentError(`CPU ${locks.cpu} is this thread: it calls detach()`);
  }
}

/** What of an allocator an heir needs. */
interface Legacy extends Pick<CacheAllocator, 'flushCpu'> {
  /** Puts the sheaf of a cache in order, so that it can be flushed; an allocator without sheaves has none. */
  mendSheaf?(cache: number, cpu: number): void;
  emptyHand(): void;
}

/**
 * Takes the place of CPUs whose threads have ended, puts in order what they left, and makes them absent; with them what such a thread had
 * taken over as an heir itself, and this thread's own CPU if a call of it was cut off (LockHeldError). Returns what became of each token.
 * Throws LockHeldError where yet another CPU holds a lock: then another call may finish it.
 */
export function detachCpus(
  memory: PhysicalMemory,
  legacy: Legacy,
  tokens: readonly CpuToken[],
): DetachOutcome[] {
  const { locks, ledger } = memory;
  const self = locks.cpu;
  const isCutOff = locks.mend();
  locks.check();
  const outcomes = tokens.map((token) => bury(ledger, token, self));
  const given = tokens.filter((_, i) => outcomes[i] === 'detached');
  const left = [...new Map(given.map((token) => [token.cpu, token])).values(), ...adoptOrphans(ledger, self)];
  const all = left.map(({ cpu }) => cpu);
  if (isCutOff) all.push(self);
  try {
    actAs(memory, all, createHeir(memory, legacy));
    for (const token of left) endBurial(ledger, token, self);
  } catch (error) {
    for (const token of left) giveUpBurial(ledger, token, self);
    throw error;
  }
  return outcomes;
}

/** This thread puts its own CPU in order and is none any more. Throws LockHeldError: then it still is. */
export function detachSelf(memory: PhysicalMemory, legacy: Legacy): void {
  const { locks, ledger } = memory;
  const { attachment } = locks;
  if (attachment === undefined)
    throw new ArgumentError(
      'this machine is not shared: nobody else could be the CPU that would be given back',
    );
  locks.mend();
  actAs(memory, [attachment.cpu], createHeir(memory, legacy));
  leaveCpu(ledger, attachment);
  locks.leave();
}

/** Takes steps for several CPUs, each for all before the next, and is this thread's own again. */
function actAs(
  { locks }: PhysicalMemory,
  cpus: readonly number[],
  steps: readonly ((cpu: number) => void)[],
) {
  const self = locks.cpu;
  try {
    for (const step of steps) {
      for (const cpu of cpus) {
        locks.check();
        locks.become(cpu);
        step(cpu);
      }
    }
  } finally {
    locks.become(self);
  }
}

/** The steps a to h of above, each as the CPU that left. */
function createHeir(memory: PhysicalMemory, legacy: Legacy) {
  const { ledger, locks, profile } = memory;
  const { header, zone, cache, cpuCache, journal, link, frameState } = ledger;
  const { slabCache, slabCounters, slabLinks, slabNext, slabShape } = ledger;
  const { listLast, listFull } = createNodeLists(ledger);
  const objectsOf = (slab: number) => shapeObjects(slabShape[slab]!);
  const cacheRows = ledger.shape.caches + 1;
  const lineOf = (cpu: number, id: number) => (cpu * cacheRows + id) * CPU_WORDS;
  const isTaken = (value: number) => value === LINK_LIVE || value === LINK_ARRAY || value === LINK_LOST;

  function mendZones(): void {
    const j = locks.journal;
    for (let z = 0; z < ledger.shape.zones; z++) {
      const lock = z * ZONE_WORDS + Z_LOCK;
      if (!locks.holds(zone, lock)) continue;
      const frame = journal[j + J_HAND_FRAME]! - 1;
      // Noted and not marked, or marked free and still noted: either way it is not in hand.
      if (frame >= 0 && !(frameState[frame]! & FRAME_USED)) journal[j + J_HAND_FRAME] = 0;
      rebuildZone(ledger, z, profile.orders);
      locks.release(zone, lock);
    }
  }

  function mendLinks(): void {
    if (!locks.holds(header, H_LINK_LOCK)) return;
    const j = locks.journal;
    if (slabCache[journal[j + J_HAND_SLAB]!] === 0) journal[j + J_HAND_SLAB] = 0;
    rebuildLinks(ledger);
    locks.release(header, H_LINK_LOCK);
  }

  // ---- a slab's lock --------------------------------------------------------------------------------------------------

  function mendSlab(cpu: number): void {
    const j = locks.journal;
    const slab = journal[j + J_SLAB]!;
    if (slab === 0 || slabHolder(slabCounters[slab]!) !== cpu) {
      journal[j + J_SLAB] = 0;
      return;
    }
    const word = journal[j + J_WORD]!;
    unchain(slab, word & COUNTERS_FREE);
    const p = journal[j + J_LINE]! - 1;
    if (p >= 0 && word < 0) keep(p, slab);
    else if (p >= 0) drop(p, slab);
    journal[j + J_SENT] = 0;
    locks.releaseSlab(slab, word);
  }

  /** Objects that were being freed get back what their links held. The chain ends where it was not made, or where it meets the list. */
  function unchain(slab: number, prior: number): void {
    const j = locks.journal;
    const was = journal[j + J_CHAIN_WAS]!;
    const links = slabLinks[slab]!;
    for (let object = journal[j + J_CHAIN]!; object !== prior && object !== 0; ) {
      const undoing = journal[j + J_UNDOING]!;
      const next = undoing >> 16 === object ? undoing & 0xffff : link[links + object - 1]!;
      if (next === was) break;
      journal[j + J_UNDOING] = (object << 16) | next;
      link[links + object - 1] = was;
      journal[j + J_CHAIN] = next;
      object = next;
    }
    journal[j + J_CHAIN] = 0;
    journal[j + J_UNDOING] = 0;
  }

  /** The slab is this CPU's: if neither of its lists has it, the partial one gets it. */
  function keep(p: number, slab: number): void {
    if (cpuCache[p + P_SLAB] === slab) return;
    for (let at = cpuCache[p + P_PARTIAL]!; at !== 0; at = slabNext[at]!) if (at === slab) return;
    slabNext[slab] = cpuCache[p + P_PARTIAL]!;
    cpuCache[p + P_PARTIAL] = slab;
  }

  /** The slab is not this CPU's, if it looked as if it were already. */
  function drop(p: number, slab: number): void {
    if (cpuCache[p + P_SLAB] === slab) leave(p);
    if (cpuCache[p + P_PARTIAL] === slab) cpuCache[p + P_PARTIAL] = slabNext[slab]!;
  }

  function leave(p: number): void {
    cpuCache[p + P_OWN] = 0;
    cpuCache[p + P_OBJECTS] = 0;
    cpuCache[p + P_SLAB] = 0;
  }

  // ---- a node's lock ----------------------------------------------------------------------------------------------------

  function mendNodes(): void {
    for (let id = 1; id < cacheRows; id++) {
      const c = id * CACHE_WORDS;
      if (!locks.holds(cache, c + C_LOCK)) continue;
      mendNode(id, c);
      locks.release(cache, c + C_LOCK);
    }
  }

  function mendNode(id: number, c: number): void {
    const j = locks.journal;
    const inHand = journal[j + J_HAND] !== 0 ? journal[j + J_HAND_SLAB]! : 0;
    const isDebug = (cache[c + C_FLAGS]! & SLAB_DEBUG_FLAGS) !== 0;
    cache[c + C_PARTIAL_HEAD] = 0;
    cache[c + C_PARTIAL_TAIL] = 0;
    cache[c + C_NR_PARTIAL] = 0;
    cache[c + C_TRACKED_FULL_HEAD] = 0;
    cache[c + C_TRACKED_FULL_TAIL] = 0;
    for (let slab = 1; slab <= header[H_SLAB_HIGH]!; slab++) {
      if (slabCache[slab] !== id || slab === inHand) continue;
      if (isDebug && slabCounters[slab]! >= 0) slabCounters[slab] = listFree(slab);
      const counters = slabCounters[slab]!;
      if (counters < 0) continue;
      if (countersInUse(counters) < objectsOf(slab)) listLast(c, slab);
      else listFull(c, slab);
    }
  }

  /** One list of all that is free in a slab, ascending. Returns the slab's word with it, not frozen. */
  function listFree(slab: number): number {
    const links = slabLinks[slab]!;
    const objects = objectsOf(slab);
    let first = 0;
    let free = 0;
    for (let i = objects - 1; i >= 0; i--) {
      if (isTaken(link[links + i]!)) continue;
      link[links + i] = first;
      first = i + 1;
      free++;
    }
    return packCounters(first, objects - free, 0);
  }

  // ---- hand, table, lines -----------------------------------------------------------------------------------------------

  function mendHand(cpu: number): void {
    const j = locks.journal;
    const slab = journal[j + J_HAND] !== 0 ? journal[j + J_HAND_SLAB]! : 0;
    if (slab !== 0) drop(lineOf(cpu, slabCache[slab]!), slab);
    legacy.emptyHand();
  }

  function mendTable(): void {
    if (!locks.holds(header, H_TABLE_LOCK)) return;
    const standing: number[] = [];
    for (let id = 1; id < cacheRows; id++) {
      const c = id * CACHE_WORDS;
      if (cache[c + C_STATE] === CACHE_ALIVE) standing.push(id);
      // Taken off the list and not yet gone.
      else if (cache[c + C_STATE] === CACHE_LEAKED && cache[c + C_NR_SLABS] === 0)
        cache[c + C_STATE] = CACHE_ABSENT;
    }
    standing.sort((a, b) => cache[a * CACHE_WORDS + C_BORN]! - cache[b * CACHE_WORDS + C_BORN]!);
    standing.forEach((id, i) => {
      cache[id * CACHE_WORDS + C_OLDER] = standing[i - 1] ?? 0;
      cache[id * CACHE_WORDS + C_NEWER] = standing[i + 1] ?? 0;
    });
    header[H_CACHE_OLDEST] = standing[0] ?? 0;
    header[H_CACHE_NEWEST] = standing.at(-1) ?? 0;
    locks.release(header, H_TABLE_LOCK);
  }

  /** All of them before the first is flushed: to flush one writes the journal that tells of another. */
  function mendSheaves(cpu: number): void {
    for (let id = 1; id < cacheRows; id++)
      if (cache[id * CACHE_WORDS + C_STATE] !== CACHE_ABSENT) legacy.mendSheaf?.(id, cpu);
  }

  function mendLines(cpu: number): void {
    for (let id = 1; id < cacheRows; id++) {
      if (cache[id * CACHE_WORDS + C_STATE] === CACHE_ABSENT) continue;
      mendSlabsOf(lineOf(cpu, id));
      legacy.flushCpu(id, cpu);
    }
  }

  function mendSlabsOf(p: number): void {
    const active = cpuCache[p + P_SLAB]!;
    // It was about to leave the one list when it had become the other.
    if (active !== 0 && cpuCache[p + P_PARTIAL] === active) cpuCache[p + P_PARTIAL] = slabNext[active]!;
    let partial = 0;
    for (let slab = cpuCache[p + P_PARTIAL]!; slab !== 0; slab = slabNext[slab]!) {
      relist(p, slab);
      partial++;
    }
    cpuCache[p + P_PARTIAL_COUNT] = partial;
    if (active === 0) return leave(p);
    relist(p, active);
    cpuCache[p + P_OWN] = 0;
  }

  /** A slab that this CPU keeps: what is not live in it is on its list. */
  function relist(p: number, slab: number): void {
    locks.takeSlab(slab, p);
    locks.releaseSlab(slab, listFree(slab) | COUNTERS_FROZEN);
  }

  const steps: readonly ((cpu: number) => void)[] = [
    mendZones,
    mendLinks,
    mendSlab,
    mendNodes,
    mendHand,
    mendTable,
    mendSheaves,
    mendLines,
  ];
  return steps;
}

// ---- while nobody else does ----------------------------------------------------------------------------------------------------

/** Does something to the table of caches, or looks for a cache to share, while nobody else does. */
export function whileInTable<T>({ ledger, locks }: PhysicalMemory, act: () => T): T {
  const { header } = ledger;
  locks.check();
  if (!locks.concurrent() || locks.holds(header, H_TABLE_LOCK)) return act();
  locks.take(header, H_TABLE_LOCK, 'the table of caches');
  try {
    return act();
  } finally {
    locks.release(header, H_TABLE_LOCK);
  }
}

/** Does something to a cache while nobody else can come to its node. `c` is the first word of its row. */
export function whileOnNode<T>({ ledger, locks }: PhysicalMemory, c: number, act: () => T): T {
  if (!locks.concurrent()) return act();
  locks.take(ledger.cache, c + C_LOCK, 'the node of a cache');
  try {
    return act();
  } finally {
    locks.release(ledger.cache, c + C_LOCK);
  }
}

/** Makes an end of a cache. Throws ArgumentError while another CPU keeps slabs or sheaves of it, which only that CPU can give up. */
export function whileUnkept(memory: PhysicalMemory, id: number, act: () => void): void {
  const { ledger, locks } = memory;
  whileInTable(memory, () => {
    if (locks.concurrent()) {
      eachCpuLine(ledger, id, (p, cpu) => {
        const kept =
          ledger.cpuCache[p + P_SLAB]! | ledger.cpuCache[p + P_PARTIAL]! | ledger.cpuCache[p + P_AVAIL]!;
        if (cpu === locks.cpu || kept === 0) return;
        const name = cacheName(ledger, id);
        throw new ArgumentError(
          `CPU ${cpu} keeps slabs of ${name}: it has to flush() the cache before that can be destroyed`,
        );
      });
    }
    act();
  });
}
