import {
  FRAME_FREE,
  FRAME_ORDER,
  FRAME_USED,
  R_END,
  R_START,
  R_VIRGIN,
  R_VIRGIN_END,
  RANGE_WORDS,
  Z_COUNT,
  Z_END,
  Z_FREE,
  Z_HEAD,
  Z_MANAGED,
  Z_RANGE,
  Z_RANGE_END,
  Z_START,
  ZONE_WORDS,
} from './ledger.js';
import { type PhysicalMemory, virginFrames } from './physical-memory.js';

/** Told of each term of the equation that does not hold. */
export type Fault = (term: string, message: string) => void;

/**
 * The part of the equation that speaks of frames: free blocks are on the list they should be on and nowhere else, and per zone
 * managed = free + handed out, each frame in one state.
 *
 * `cheap` adds up the lists; `full` walks every block that was ever touched. Returns the blocks that are handed out (full only): first
 * frame and order, in ascending order of frames.
 */
export function checkFrames(
  memory: PhysicalMemory,
  level: 'cheap' | 'full',
  fail: Fault,
): Map<number, number> {
  const { ledger } = memory;
  const used = new Map<number, number>();
  memory.zoneNames.forEach((name, z) => {
    const row = z * ZONE_WORDS;
    const [first, end] = [ledger.zone[row + Z_RANGE]!, ledger.zone[row + Z_RANGE_END]!];
    if (first < 0 || first > end || end > ledger.shape.ranges) {
      fail(
        'zone.managed',
        `zone ${name} has RAM ranges from ${first} up to ${end}, the machine has ${ledger.shape.ranges}`,
      );
      return;
    }
    const managed = ledger.zone[row + Z_MANAGED]!;
    const free = ledger.zone[row + Z_FREE]!;
    if (free < 0 || free > managed)
      fail('zone.free', `zone ${name}: ${free} of ${managed} managed frames are free`);
    const listed = checkFreeLists(memory, name, row, fail);
    const virgin = virginFrames(ledger, z);
    if (listed + virgin !== free) {
      fail(
        'zone.free',
        `zone ${name} counts ${free} free frames; its lists hold ${listed} and ${virgin} were never used`,
      );
    }
    if (level === 'full') walkBlocks(memory, name, z, used, fail);
  });
  return used;
}

function checkFreeLists(memory: PhysicalMemory, name: string, row: number, fail: Fault): number {
  const { zone, freeNext, freePrev, frameState } = memory.ledger;
  let frames = 0;
  for (let order = 0; order < memory.profile.orders; order++) {
    let prev = 0;
    let blocks = 0;
    for (let at = zone[row + Z_HEAD + order]!; at !== 0; at = freeNext[at - 1]!) {
      const frame = at - 1;
      if (blocks++ > memory.ledger.shape.frames) {
        fail('zone.list', `zone ${name}: the free list of order ${order} has a cycle`);
        break;
      }
      if (frameState[frame] !== FRAME_FREE + order || freePrev[frame] !== prev || frame % 2 ** order !== 0) {
        fail(
          'zone.list',
          `zone ${name}: frame ${frame} is on the free list of order ${order} and says otherwise`,
        );
      }
      if (frame < zone[row + Z_START]! || frame >= zone[row + Z_END]!) {
        fail('zone.list', `zone ${name}: frame ${frame} of another zone is on its free list`);
        break;
      }
      prev = at;
    }
    if (blocks !== zone[row + Z_COUNT + order]) {
      fail(
        'zone.count',
        `zone ${name} counts ${zone[row + Z_COUNT + order]} free blocks of order ${order}, its list has ${blocks}`,
      );
    }
    frames += blocks * 2 ** order;
  }
  return frames;
}

/** The blocks of a zone lie one behind the other without gap or overlap: each frame is in exactly one of them. */
function walkBlocks(
  memory: PhysicalMemory,
  name: string,
  z: number,
  used: Map<number, number>,
  fail: Fault,
): void {
  const { ledger } = memory;
  const { range, frameState, frameSlab, zone, shape } = ledger;
  let freeFrames = virginFrames(ledger, z);
  let usedFrames = 0;
  for (let i = 0; i < shape.ranges; i++) {
    const r = i * RANGE_WORDS;
    const start = range[r + R_START]!;
    if (start < zone[z * ZONE_WORDS + Z_START]! || start >= zone[z * ZONE_WORDS + Z_END]!) continue;
    for (let frame = start; frame < range[r + R_END]!; ) {
      if (frame >= range[r + R_VIRGIN]! && frame < range[r + R_VIRGIN_END]!) {
        frame = range[r + R_VIRGIN_END]!;
        continue;
      }
      const state = frameState[frame]!;
      const order = state & FRAME_ORDER;
      if (!(state & (FRAME_FREE | FRAME_USED))) {
        fail('frame.state', `zone ${name}: frame ${frame} is in no block`);
        return;
      }
      if (state & FRAME_USED) {
        used.set(frame, order);
        usedFrames += 2 ** order;
      } else {
        freeFrames += 2 ** order;
        for (let f = frame; f < frame + 2 ** order; f++) {
          if (frameSlab[f] !== 0)
            fail('frame.slab', `zone ${name}: frame ${f} is free and names slab ${frameSlab[f]}`);
        }
      }
      for (let inside = frame + 1; inside < frame + 2 ** order; inside++) {
        if (frameState[inside] !== 0)
          fail(
            'frame.state',
            `zone ${name}: frame ${inside} lies in the block at ${frame} and is one itself`,
          );
      }
      frame += 2 ** order;
    }
  }
  const managed = zone[z * ZONE_WORDS + Z_MANAGED]!;
  if (freeFrames + usedFrames !== managed || freeFrames !== zone[z * ZONE_WORDS + Z_FREE]) {
    fail(
      'zone.managed',
      `zone ${name}: ${managed} managed frames are not ${freeFrames} free + ${usedFrames} handed out`,
    );
  }
}
