/** One slab: its objects, its lists, and who allocated what of it is live. */
import {
  C_OBJECT_SIZE,
  C_RED_LEFT_PAD,
  C_SIZE,
  CACHE_WORDS,
  COUNTERS_FREE,
  COUNTERS_FROZEN,
  type Ledger,
  LINK_ARRAY,
  LINK_END,
  LINK_LIVE,
  LINK_LOST,
  P_OWN,
  P_PARTIAL,
  P_SLAB,
  shapeObjects,
  shapeOrder,
} from '../../machine/index.js';
import { cacheName, eachCpuLine, type Machine } from '../../slab/index.js';
import { isSparse } from '../replay/index.js';
import { checkFrame } from './frames.js';
import { OBJECT_STATES, type ObjectMap, type SlabBrief, type SlabMap, type SlabState } from './look.js';
import { namesOf, type Scene } from './scene.js';
import { whoAllocated } from './who.js';

export function slabMap(scene: Scene, frame: number): SlabMap | undefined {
  const { machine } = scene.built;
  checkFrame(machine, frame);
  const { ledger } = machine;
  const slab = ledger.frameSlab[frame]!;
  if (slab === 0) return undefined;
  const id = ledger.slabCache[slab]!;
  const word = (at: number) => ledger.cache[id * CACHE_WORDS + at]!;
  const { pageSize } = machine.kernel;
  const order = shapeOrder(ledger.slabShape[slab]!);
  const firstFrame = ledger.slabFrame[slab]!;
  const address = (firstFrame + machine.memory.basePfn) * pageSize;
  const objectAt = word(C_RED_LEFT_PAD);
  const lists = listsOf(machine, slab);
  const objects = objectsOf(scene, slab, lists);
  const live = objects.filter(({ state }) => state === 'live').length;
  const name = cacheName(ledger, id);
  return {
    cache: name,
    names: namesOf(scene.built, id, name),
    serial: ledger.slabSerial[slab]!,
    firstFrame,
    frames: 2 ** order,
    address,
    zone: machine.zoneOf(address) ?? '',
    order,
    bytes: pageSize * 2 ** order,
    offset: ledger.slabOffset[slab]! - objectAt,
    size: word(C_SIZE),
    objectAt,
    objectSize: word(C_OBJECT_SIZE),
    ...lists,
    live,
    objects,
    sparse: isSparse(live, objects.length),
  };
}

type Lists = Pick<SlabMap, 'state' | 'cpu' | 'cpuList' | 'slabList'>;

function listsOf(machine: Machine, slab: number): Lists {
  const { ledger } = machine;
  const counters = ledger.slabCounters[slab]!;
  const first = ledger.slabLinks[slab]!;
  const slabList = chain(ledger, first, counters & COUNTERS_FREE);
  let state: SlabState | undefined;
  let cpu: number | null = null;
  let cpuList: number[] = [];
  const ofCpu = (p: number, of: number) => {
    if (ledger.cpuCache[p + P_SLAB] === slab) {
      state = 'active';
      cpu = of;
      cpuList = chain(ledger, first, ledger.cpuCache[p + P_OWN]!);
    }
    for (let each = ledger.cpuCache[p + P_PARTIAL]!; each !== 0; each = ledger.slabNext[each]!) {
      if (each !== slab) continue;
      state = 'cpu partial';
      cpu = of;
    }
  };
  if (machine.kernel.has.cpuSlabs) eachCpuLine(ledger, ledger.slabCache[slab]!, ofCpu);
  return { state: state ?? stateOnNode(machine, slab, slabList.length), cpu, cpuList, slabList };
}

/** Of a slab that no CPU keeps, with so many free objects. */
function stateOnNode({ ledger, kernel }: Machine, slab: number, free: number): SlabState {
  if (ledger.slabCounters[slab]! & COUNTERS_FROZEN) return 'disabled';
  if (free === 0) return 'full';
  return kernel.has.freeSlabs && free === shapeObjects(ledger.slabShape[slab]!) ? 'free' : 'partial';
}

/** Indices of the objects of a list whose first one is `head`, index + 1. */
function chain({ link }: Ledger, first: number, head: number): number[] {
  const indices: number[] = [];
  for (let next = head; next !== LINK_END; next = link[first + next - 1]!) indices.push(next - 1);
  return indices;
}

function objectsOf(scene: Scene, slab: number, { cpuList, slabList }: Lists): ObjectMap[] {
  const { recorded, built, time } = scene;
  const { ledger, kernel, memory } = built.machine;
  const count = shapeObjects(ledger.slabShape[slab]!);
  const size = ledger.cache[ledger.slabCache[slab]! * CACHE_WORDS + C_SIZE]!;
  const begin = (ledger.slabFrame[slab]! + memory.basePfn) * kernel.pageSize + ledger.slabOffset[slab]!;
  const rows = rowsWithin(scene, begin, begin + count * size);
  const who = whoAllocated(recorded, rows.values(), time);
  const places = new Map(
    [...cpuList.entries(), ...slabList.entries()].map(([place, index]) => [index, place]),
  );
  return Array.from({ length: count }, (_, index) => {
    const address = begin + index * size;
    const link = ledger.link[ledger.slabLinks[slab]! + index]!;
    const place = places.get(index) ?? null;
    const row = rows.get(address);
    return {
      index,
      address,
      state: OBJECT_STATES[stateOf(link)]!,
      place,
      by: link === LINK_LIVE && row !== undefined ? who.get(row)! : null,
    };
  });
}

/** The rows of objects that lie from an address to in front of another, by address. */
function rowsWithin({ built, state }: Scene, from: number, to: number): Map<number, number> {
  const { addresses, slotClass, slotRow } = state;
  const rows = new Map<number, number>();
  for (let slot = 0; slot < addresses.length; slot++) {
    const address = addresses[slot]!;
    if (address < from || address >= to || built.routes[slotClass[slot]!]!.to === 'pages') continue;
    rows.set(address, slotRow[slot]!);
  }
  return rows;
}

/** Several slabs at once. Which object is live costs a look at its link; who allocated it is not looked up. */
export function slabsWithin({ built: { machine } }: Scene, from: number, to: number): SlabBrief[] {
  const { ledger } = machine;
  const found: SlabBrief[] = [];
  const end = Math.min(Math.ceil(to), ledger.shape.frames);
  for (let frame = Math.max(Math.floor(from), 0); frame < end; ) {
    const slab = ledger.frameSlab[frame]!;
    if (slab === 0) {
      frame++;
      continue;
    }
    found.push(briefOf(machine, slab));
    frame = ledger.slabFrame[slab]! + 2 ** shapeOrder(ledger.slabShape[slab]!);
  }
  return found;
}

const [LIVE, FREE, CACHED, LOST] = OBJECT_STATES.map((_, number) => number) as [
  number,
  number,
  number,
  number,
];

/** What a link says of its object, by its place in OBJECT_STATES. */
function stateOf(link: number): number {
  return link === LINK_LIVE ? LIVE : link === LINK_ARRAY ? CACHED : link === LINK_LOST ? LOST : FREE;
}

function briefOf({ ledger }: Machine, slab: number): SlabBrief {
  const id = ledger.slabCache[slab]!;
  const word = (at: number) => ledger.cache[id * CACHE_WORDS + at]!;
  const first = ledger.slabLinks[slab]!;
  const states = new Uint8Array(shapeObjects(ledger.slabShape[slab]!));
  let live = 0;
  for (let index = 0; index < states.length; index++) {
    const link = ledger.link[first + index]!;
    states[index] = stateOf(link);
    if (link === LINK_LIVE) live++;
  }
  return {
    cache: cacheName(ledger, id),
    serial: ledger.slabSerial[slab]!,
    firstFrame: ledger.slabFrame[slab]!,
    frames: 2 ** shapeOrder(ledger.slabShape[slab]!),
    offset: ledger.slabOffset[slab]! - word(C_RED_LEFT_PAD),
    size: word(C_SIZE),
    live,
    states,
  };
}
