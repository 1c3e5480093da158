/** The machine in front of a row, as it can be asked about (look.ts). */
import { ArgumentError } from '../../base/index.js';
import {
  eachRow,
  findPins,
  type Recorded,
  type SlabRow,
  type StartedReplay,
  slabsByCache,
} from '../replay/index.js';
import { cacheDetail, cachesAt } from './caches.js';
import { eventAt } from './event.js';
import { cellsOf, frameAt, zonesOf } from './frames.js';
import type { Moment } from './look.js';
import { pinnedSlabs } from './pinned.js';
import type { Scene } from './scene.js';
import { slabMap, slabsWithin } from './slab-map.js';

interface MomentOptions {
  readonly recorded: Recorded;
  readonly started: StartedReplay;
  readonly row: number;
  /** Whether the machine is still in front of that row. */
  readonly isNow: () => boolean;
  readonly beyond: Scene['beyond'];
}

export function momentOf({ recorded, started, row, isNow, beyond }: MomentOptions): Moment {
  const { built, stock, run } = started;
  const { trace } = recorded;
  const time = timeOf(recorded, row);
  let slabs: ReadonlyMap<number, readonly SlabRow[]> | undefined;
  const scene: Scene = {
    recorded,
    built,
    stock,
    state: run.state,
    row,
    time,
    get slabs() {
      slabs ??= slabsByCache(built.machine);
      return slabs;
    },
    beyond,
  };
  const now = () => {
    if (!isNow()) throw new ArgumentError(`the moment of row ${row} is over: another one was asked for`);
    return scene;
  };
  return {
    row,
    time,
    get machine() {
      return now().built.machine;
    },
    zones: () => zonesOf(now()),
    frames: (from, to, cells) => cellsOf(now(), from, to, cells),
    frame: (frame) => frameAt(now(), frame),
    slabOf: (frame) => slabMap(now(), frame),
    slabs: (from, to) => slabsWithin(now(), from, to),
    pinned: (pin, limit) => pinnedSlabs(now(), pin, limit),
    caches: () => cachesAt(now()),
    cache: (name) => cacheDetail(now(), name),
    pins: (limit) => findPins({ trace, built, stock, state: now().state }, limit),
    event: () => eventAt(now()),
  };
}

/** Of the row; at the end of the last event. */
function timeOf({ trace }: Recorded, row: number): number {
  let time = trace.report.lastTime;
  if (row < trace.rows)
    eachRow(trace, ['time'], [row], (chunk, at) => {
      time = chunk.time[at]!;
    });
  return time;
}
