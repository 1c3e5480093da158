/** Boards: where their RAM lies and which zone serves a request, held against what real ones said when they booted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, type Gfp, GIB, MIB, UnknownNameError } from '../base/index.js';
import { GFP } from './gfp.js';
import { BOARDS, boardMap, type MemoryMap, ramBytes, rangesMap } from './memory-map.js';
import { createPhysicalMemory, type PhysicalMemory } from './physical-memory.js';

const PAGE = 4096;

function memoryOf(map: MemoryMap): PhysicalMemory {
  return createPhysicalMemory({
    map,
    profile: {
      pageSize: PAGE,
      orders: 11,
      watermarkScaleFactor: 10,
      lowmemReserveRatio: { DMA: 256, DMA32: 256, Normal: 32 },
    },
    cpus: 1,
    ledger: { slabs: 4, linkPages: 1, caches: 1 },
  });
}

/** `0x200000-0xf0000000 …`, as a boot log lists them but with the end behind the last byte. */
function ramOf({ ram }: MemoryMap): string {
  return ram.map(({ start, end }) => `0x${start.toString(16)}-0x${end.toString(16)}`).join(' ');
}

function addressOf(memory: PhysicalMemory, gfp: number): number {
  return memory.pages.allocPages(gfp as Gfp, 0) * PAGE;
}

test('every board names its source, and has RAM of any size', () => {
  for (const [name, board] of BOARDS) {
    assert.equal(board.name, name);
    assert.ok(board.source.length > 40, name);
    for (const memory of [4 * MIB, 512 * MIB, 2 * GIB, 3 * GIB, 4 * GIB, 6 * GIB, 8 * GIB, 64 * GIB]) {
      const map = boardMap(name, memory);
      // What firmware and devices keep is less than 3 MiB, whatever the size.
      assert.ok(ramBytes(map) <= memory && ramBytes(map) > memory - 3 * MIB, `${name} with ${memory}`);
      assert.equal(map.ram[0]!.start, boardMap(name).ram[0]!.start);
    }
  }
});

test('the RK3568: RAM above 4 GiB as on an ODROID-M1 and a board of 8 GiB', () => {
  assert.equal(ramOf(boardMap('rk3568', 4 * GIB)), '0x200000-0xf0000000 0x1f0000000-0x200000000');
  const map = boardMap('rk3568');
  assert.equal(ramOf(map), '0x200000-0xf0000000 0x100000000-0x200000000 0x2f0000000-0x300000000');
  assert.equal(ramOf(boardMap('rk3568', 2 * GIB)), '0x200000-0x80000000');
  const memory = memoryOf(map);
  assert.ok(addressOf(memory, GFP.KERNEL) >= 4 * GIB, 'where the driver’s tables lay at 0x10189a000');
  assert.ok(addressOf(memory, GFP.KERNEL | GFP.DMA32) < 4 * GIB);
});

test('the H616: the last GiB of 4 above 4 GiB, its firmware’s memory never handed out; the H6 ends below', () => {
  const map = boardMap('sun50i');
  assert.equal(ramOf(map), '0x40000000-0x140000000');
  const memory = memoryOf(map);
  assert.ok(addressOf(memory, GFP.KERNEL) >= 4 * GIB);
  const low = addressOf(memory, GFP.KERNEL | GFP.DMA32);
  assert.ok(low >= GIB + 512 * 1024 && low < 4 * GIB);
  const managed = memory.zones().reduce((sum, zone) => sum + zone.managed, 0);
  assert.equal(managed * PAGE, 4 * GIB - 512 * 1024);
  assert.ok(addressOf(memoryOf(boardMap('sun50i', 3 * GIB)), GFP.KERNEL) < 4 * GIB);
});

test('what makes no map is refused', () => {
  assert.throws(() => boardMap('rk3569'), UnknownNameError);
  assert.throws(() => boardMap('rk3568', 3), ArgumentError);
  for (const text of ['1G', '2G-1G', '1G-3G,2G-4G', '1G-x']) {
    assert.throws(() => rangesMap(text), ArgumentError, text);
  }
  assert.equal(ramOf(rangesMap('1G-5G,6G-8G', 'mt8173')), '0x40000000-0x140000000 0x180000000-0x200000000');
});
