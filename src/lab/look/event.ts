/** The event that comes next, and what it does. */
import type { PhysAddr } from '../../base/index.js';
import { C_NR_SLABS, CACHE_WORDS } from '../../machine/index.js';
import { OP, OP_MASK, type TraceColumn, UNSEEN } from '../../trace/index.js';
import { eachRow } from '../replay/index.js';
import { eventWords } from './event-words.js';
import type { EventAt, EventKind } from './look.js';
import type { Scene } from './scene.js';
import { whoAllocated } from './who.js';

const COLUMNS: readonly TraceColumn[] = ['op', 'class', 'slot', 'time', 'cpu', 'pid', 'comm', 'site'];

const KINDS: ReadonlyMap<number, EventKind> = new Map([
  [OP.ALLOC, 'alloc'],
  [OP.FREE, 'free'],
  [OP.PAGE_ALLOC, 'page alloc'],
  [OP.PAGE_FREE, 'page free'],
  [OP.MARK, 'mark'],
  [OP.LOST, 'lost'],
]);

/** A row, as its trace has it. */
interface Row {
  readonly op: number;
  readonly id: number;
  readonly slot: number;
  readonly told: Pick<EventAt, 'row' | 'kind' | 'time' | 'cpu' | 'pid' | 'comm' | 'site'>;
}

function rowOf({ recorded: { trace }, row }: Scene): Row {
  let found: Row | undefined;
  eachRow(trace, COLUMNS, [row], ({ op, class: classes, slot, time, cpu, pid, comm, site }, at) => {
    found = {
      op: op[at]!,
      id: classes[at]!,
      slot: slot[at]!,
      told: {
        row,
        kind: KINDS.get(op[at]! & OP_MASK) ?? 'none',
        time: time[at]!,
        cpu: cpu[at]!,
        pid: pid[at]!,
        comm: trace.strings.text(comm[at]!),
        site: trace.strings.text(site[at]!),
      },
    };
  });
  return found!;
}

/** What there is to see of the machine in front of the event, and again behind it. */
interface Sight {
  readonly address: number;
  readonly index: number | null;
  readonly slabs: number;
  readonly pages: number;
}

export function eventAt(scene: Scene): EventAt | undefined {
  const { recorded, built, state, row, time } = scene;
  const { trace } = recorded;
  if (row >= trace.rows) return undefined;
  const { op, id, slot, told } = rowOf(scene);
  const { kind } = told;
  const isObject = kind === 'alloc' || kind === 'free';
  const isPages = kind === 'page alloc' || kind === 'page free';
  const known = isObject || isPages ? trace.classes[id] : undefined;
  const route = built.routes[id];
  const made = isObject && route !== undefined && 'cache' in route ? route.cache : undefined;
  const slotOf = op & UNSEEN && (kind === 'free' || kind === 'page free') ? -1 : slot;
  const sight = ({ built: { machine }, state: { addresses } }: Pick<Scene, 'built' | 'state'>): Sight => {
    const held = known === undefined || slotOf < 0 ? 0 : addresses[slotOf]!;
    const inPages = route?.to === 'pages' || isPages;
    const address = inPages && held !== 0 ? (Math.abs(held) - 1) * machine.kernel.pageSize : held;
    const place = inPages ? undefined : machine.whereIs(address as PhysAddr);
    return {
      address,
      index: place?.index ?? null,
      slabs: made === undefined ? 0 : machine.ledger.cache[made.cache.id * CACHE_WORDS + C_NR_SLABS]!,
      pages: machine.memory.takenPages(),
    };
  };
  const before = sight(scene);
  const after = scene.beyond(sight);
  const isFree = kind === 'free' || kind === 'page free';
  const { address, index } = isFree ? before : after;
  const frame = Math.floor(address / built.machine.kernel.pageSize) - built.machine.memory.basePfn;
  const allocation = isFree && address !== 0 ? state.slotRow[slotOf]! : undefined;
  const event = {
    ...told,
    cache: made?.spec.names[0] ?? null,
    bytes: known?.bytesReq ?? 0,
    order: known?.order ?? 0,
    address,
    frame: address === 0 ? null : frame,
    index: address === 0 ? null : index,
    by: allocation === undefined ? null : whoAllocated(recorded, [allocation], time).get(allocation)!,
    slabs: after.slabs - before.slabs,
    pages: after.pages - before.pages,
  };
  return { ...event, words: eventWords(event, { trace, op, slot, pageSize: built.machine.kernel.pageSize }) };
}
