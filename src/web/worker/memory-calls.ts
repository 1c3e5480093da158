/** What the memory view asks the worker: zones, stretches of page frames, slabs and their objects, in front of a row. */
import type { CacheSlab, FrameAt, FrameCells, Pin, SlabBrief, SlabMap, ZoneMap } from '../../lab/index.js';
import type { Call, Handlers } from './call.js';
import type { Session } from './session.js';

/** The machine's memory at a moment. */
export interface MemoryAt {
  readonly row: number;
  /** Nanoseconds of the trace's clock. */
  readonly time: number;
  /** Bytes of a page frame, the number of the first one, and how many there are. */
  readonly pageSize: number;
  readonly basePfn: number;
  readonly frames: number;
  readonly zones: readonly ZoneMap[];
  /** Who keeps sparse slabs, most bytes first. */
  readonly pins: readonly Pin[];
}

export interface MemoryCalls {
  memory: Call<{ readonly row: number }, MemoryAt>;
  frames: Call<
    { readonly row: number; readonly from: number; readonly to: number; readonly cells: number },
    FrameCells
  >;
  /** All slabs of a stretch, with the state of each object. */
  slabs: Call<{ readonly row: number; readonly from: number; readonly to: number }, readonly SlabBrief[]>;
  frame: Call<{ readonly row: number; readonly frame: number }, FrameAt>;
  /** Null for a frame that is no slab's. */
  slab: Call<{ readonly row: number; readonly frame: number }, SlabMap | null>;
  /** The sparse slabs that some objects keep. */
  pinned: Call<
    { readonly row: number; readonly pin: Pick<Pin, 'cache' | 'site' | 'comm'> },
    readonly CacheSlab[]
  >;
}

const PINS_TOLD = 30;
const PINNED_TOLD = 60;

export function memoryHandlers(session: Session): Handlers<MemoryCalls> {
  return {
    memory({ row }, context) {
      const moment = session.look('', context).at(row);
      const { kernel, memory, ledger } = moment.machine;
      return {
        row,
        time: moment.time,
        pageSize: kernel.pageSize,
        basePfn: memory.basePfn,
        frames: ledger.shape.frames,
        zones: moment.zones(),
        pins: moment.pins(PINS_TOLD),
      };
    },
    frames({ row, from, to, cells }, context) {
      const found = session.look('', context).at(row).frames(from, to, cells);
      for (const column of [found.holder, found.share, found.free, found.used, found.use])
        context.transfer.push(column.buffer as ArrayBuffer);
      return found;
    },
    slabs: ({ row, from, to }, context) => session.look('', context).at(row).slabs(from, to),
    frame: ({ row, frame }, context) => session.look('', context).at(row).frame(frame),
    slab: ({ row, frame }, context) => session.look('', context).at(row).slabOf(frame) ?? null,
    pinned: ({ row, pin }, context) => session.look('', context).at(row).pinned(pin, PINNED_TOLD),
  };
}
