/**
 * The lists of free blocks of page frames: one a zone and order, newest first. The members of a list are first frames plus one, and 0 is
 * none. Written under the zone's lock.
 */
import { EngineError } from '../base/index.js';
import { FRAME_FREE, type Ledger, Z_COUNT, Z_HEAD } from './ledger.js';

/** `row` is the zone's first word. */
interface FreeBlocks {
  /** Marks a block as free and makes it the first of its list. */
  list(row: number, frame: number, order: number): void;
  /** Takes a block off its list. */
  unlist(row: number, frame: number, order: number): void;
}

export function createFreeBlocks({ zone, freeNext, freePrev, frameState }: Ledger): FreeBlocks {
  return {
    list(row, frame, order) {
      const next = zone[row + Z_HEAD + order]!;
      freeNext[frame] = next;
      freePrev[frame] = 0;
      if (next !== 0) freePrev[next - 1] = frame + 1;
      zone[row + Z_HEAD + order] = frame + 1;
      zone[row + Z_COUNT + order]!++;
      frameState[frame] = FRAME_FREE + order;
    },
    unlist(row, frame, order) {
      const next = freeNext[frame]!;
      const prev = freePrev[frame]!;
      if (prev !== 0) freeNext[prev - 1] = next;
      else if (zone[row + Z_HEAD + order] === frame + 1) zone[row + Z_HEAD + order] = next;
      else throw new EngineError(`free block ${frame} of order ${order} is not on its list`);
      if (next !== 0) freePrev[next - 1] = prev;
      zone[row + Z_COUNT + order]!--;
      frameState[frame] = 0;
    },
  };
}

/** Frames, cut into the largest blocks that fit, upwards. */
export function blocksOf(from: number, to: number, orders: number): [frame: number, order: number][] {
  const blocks: [number, number][] = [];
  for (let frame = from; frame < to; ) {
    let order = 0;
    while (order < orders - 1 && frame % 2 ** (order + 1) === 0 && frame + 2 ** (order + 1) <= to) order++;
    blocks.push([frame, order]);
    frame += 2 ** order;
  }
  return blocks;
}
