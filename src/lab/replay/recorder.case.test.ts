/**
 * A kernel that we record ourselves: a machine of this engine does random work, and what a kernel's tracepoints and /proc files would have
 * said of it is written down. Of such a trace everything is known, also what a real one does not tell: a replay of it must do the same
 * again.
 */
import { type Gfp, type PhysAddr, Random } from '../../base/index.js';
import { __GFP, GFP } from '../../machine/index.js';
import { type KmemCache, Machine } from '../../slab/index.js';
import { formatSlabinfo, slabinfoRows, zoneinfo } from '../../text/index.js';
import {
  ACCOUNTED,
  createBatch,
  createResolver,
  EVENT,
  NODE_NONE,
  type Trace,
  type TraceChunk,
} from '../../trace/index.js';
import { readSnapshots, type Snapshots } from '../evidence/snapshots.js';

export interface RecordOptions {
  readonly seed: number;
  readonly cpus: number;
  readonly allocator: 'slub' | 'slab';
  /** Objects that each cache has before the trace begins. */
  readonly before?: number;
  readonly operations: number;
  /** Of a thousand allocations, how many have no event. They stay. */
  readonly hidden?: number;
  /** How many snapshots, evenly over the trace. */
  readonly snapshots: number;
  /** What the events call the objects' pointers. */
  readonly hashed?: boolean;
}

export interface RecordedMachine {
  readonly trace: Trace;
  readonly snapshots: Snapshots;
  /** What the machine had in the end. */
  readonly machine: Machine;
  readonly hidden: number;
}

const SIZES = [24, 100, 192, 584, 1100, 3000];
const DIRECT_MAP_HIGH = 0xffff8880;
const TICK_MS = 4;
const NS_BETWEEN_EVENTS = 50_000;

/** Random work: allocations and frees of some caches and of kmalloc, more of the ones in the first half, more of the others then. */
export function recordMachine(options: RecordOptions): RecordedMachine {
  const { seed, cpus, allocator, before = 0, operations, hidden = 0 } = options;
  const random = new Random(seed);
  const machine = Machine.create({ cpus, allocator, memory: 512 * 2 ** 20 });
  const caches = SIZES.map(
    (size) => machine.kmemCacheCreate(`sim_${size}`, size, { align: 8, ctor: () => {} })!,
  );
  const recorder = createRecorder(machine, options);
  for (const cache of caches) for (let i = 0; i < before; i++) cache.alloc(GFP.KERNEL, 0);
  const live: { readonly cache: KmemCache; readonly address: PhysAddr }[] = [];
  let hiddenCount = 0;
  for (let i = 0; i < operations; i++) {
    const cpu = random.below(cpus);
    recorder.pass();
    if (i % Math.floor(operations / (options.snapshots + 1)) === 0 && i > 0) recorder.snapshot();
    const share = i < operations / 2 ? 650 : 420;
    if (live.length === 0 || random.below(1000) < share) {
      const cache = caches[random.below(caches.length)]!;
      if (random.below(1000) < hidden) {
        cache.alloc(GFP.KERNEL, cpu);
        hiddenCount++;
      } else live.push({ cache, address: recorder.alloc(cache, cpu) });
      continue;
    }
    const at = random.below(live.length);
    const { cache, address } = live[at]!;
    live[at] = live.at(-1)!;
    live.pop();
    recorder.free(cache, address, cpu);
  }
  return { ...recorder.finish(), machine, hidden: hiddenCount };
}

/** As a kernel's: one to one, and its low bits say nothing. */
function hashOf(low: number): number {
  const product = Math.imul(low, 0x9e3779b1);
  return (product ^ (product >>> 16)) >>> 0;
}

function createRecorder(machine: Machine, { hashed = false }: RecordOptions) {
  const chunks: TraceChunk[] = [];
  const resolver = createResolver({ chunk: (chunk) => chunks.push(chunk) });
  const intern = (text: string) => resolver.strings.internText(text);
  const batch = createBatch();
  const snapshots: unknown[] = [];
  const { pageSize } = machine.kernel;
  let time = 0;
  let tick = 0;

  interface Fields {
    readonly pointer: number;
    readonly cache: KmemCache;
    readonly cpu: number;
    readonly gfp?: number;
    readonly order?: number;
  }

  function emit(kind: number, { pointer, cache, cpu, gfp = GFP.KERNEL, order = 0 }: Fields): void {
    const at = batch.length++;
    const isPage = kind === EVENT.PAGE_ALLOC;
    const { objectSize, size } = cache.info;
    batch.kind[at] = kind;
    batch.cpu[at] = cpu;
    batch.pid[at] = 100 + cpu;
    batch.time[at] = time;
    const low = pointer % 2 ** 32;
    batch.pointerLow[at] = hashed && !isPage ? hashOf(low) : low;
    batch.pointerHigh[at] = isPage || hashed ? 0 : DIRECT_MAP_HIGH + Math.floor(pointer / 2 ** 32);
    batch.site[at] = intern(`make_${cache.name}+0x10`);
    batch.comm[at] = intern('worker');
    batch.bytesReq[at] = objectSize;
    batch.bytesAlloc[at] = size;
    batch.gfp[at] = gfp;
    batch.name[at] = kind === EVENT.CACHE_FREE ? intern(cache.name) : 0;
    batch.order[at] = order;
    batch.node[at] = NODE_NONE;
    batch.accounted[at] = ACCOUNTED.UNSTATED;
    time += NS_BETWEEN_EVENTS;
    if (batch.length < batch.kind.length) return;
    resolver.take(batch);
    batch.length = 0;
  }

  return {
    /** Time passes as it does in a replay: in ticks. */
    pass(): void {
      const now = Math.floor(time / 1e6 / TICK_MS);
      if (now > tick) machine.advance(Math.max(Math.floor(time / 1e6) - machine.now, 0));
      tick = now;
    },
    alloc(cache: KmemCache, cpu: number): PhysAddr {
      const slabs = cache.info.nrSlabs;
      const address = cache.alloc(GFP.KERNEL as Gfp, cpu);
      const { nrSlabs, size, oo } = cache.info;
      if (nrSlabs > slabs) {
        const first = address - machine.whereIs(address)!.index * size;
        const gfp = GFP.KERNEL | __GFP.NOWARN | __GFP.NORETRY | __GFP.COMP;
        emit(EVENT.PAGE_ALLOC, { pointer: Math.floor(first / pageSize), cache, cpu, gfp, order: oo.order });
      }
      emit(EVENT.CACHE_ALLOC, { pointer: address, cache, cpu });
      return address;
    },
    free(cache: KmemCache, address: PhysAddr, cpu: number): void {
      cache.free(address, cpu);
      emit(EVENT.CACHE_FREE, { pointer: address, cache, cpu });
    },
    snapshot(): void {
      snapshots.push({
        name: `s${snapshots.length}`,
        monoBegin: time / 1e9,
        monoEnd: time / 1e9,
        slabinfo: formatSlabinfo(slabinfoRows(machine)),
        zoneinfo: zoneinfo(machine),
      });
    },
    finish(): { trace: Trace; snapshots: Snapshots } {
      resolver.take(batch);
      const head = resolver.finish();
      const meta = {
        kernel: 'Linux version 6.1.0',
        allocator: machine.boot.allocator === 'slab' ? 'SLAB' : 'SLUB',
      };
      return {
        trace: { ...head, chunks: () => chunks },
        snapshots: readSnapshots(JSON.stringify({ meta, snapshots }), 'simulated'),
      };
    },
  };
}
