// One large GPU buffer, divided: meshes, uniforms and a window that the CPU can write, each aligned as its use demands.
//
// Graphics programs ask the driver for a few large buffers and give out parts of them. JavaScript cannot touch such memory, and need not:
// a machine without bytes hands out offsets. What it knows of them lies in its own ledger.
//
//     node examples/gpu-buffer.mjs
import { formatBytes, Machine, NULL, SLAB } from 'slablab';

const MIB = 2 ** 20;
const BUFFER = 64 * MIB; // device.createBuffer({ size: BUFFER, usage: … })
const WINDOW = 8 * MIB; // the part of it that the CPU can map

// A zone is a part of the memory that some users are bound to. This is what ZONE_DMA32 is for in Linux: those who cannot reach all of it.
// Others take from it only when the rest is used up.
const machine = Machine.create({ memory: BUFFER, workers: 1, zones: [{ name: 'DMA32', end: WINDOW }] });

// An alignment class is a cache. WebGPU wants uniforms at multiples of 256 bytes (minUniformBufferOffsetAlignment).
const uniforms = machine.kmemCacheCreate('uniforms', 192, { align: 256 });
const instances = machine.kmemCacheCreate('instances', 48, { align: 16 });
const staging = machine.kmemCacheCreate('staging', 16384, { align: 4096, flags: SLAB.CACHE_DMA32 });
// Meshes have all sizes: 88 size classes, and pages above 8 KiB. Each lies at a multiple of a vertex' 16 bytes.
const mesh = (bytes) => machine.kmallocAligned(bytes, 16);

/** Numbers that look random and are the same each time. */
let state = 1;
function below(n) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
}

// What is handed out: [offset, bytes, alignment, how to give it back]. In a program this is the drawable object itself.
const live = [];
function keep(offset, bytes, align, release) {
  if (offset === NULL) throw new Error('the buffer is full'); // time for a second buffer, or to evict something
  live.push({ offset, bytes, align, release });
}

let allocated = 0;
for (let frame = 0; frame < 400; frame++) {
  for (let i = 0; i < 40; i++) {
    const bytes = 64 + below(8000);
    keep(mesh(bytes), bytes, 16, (at) => machine.kfree(at));
    keep(uniforms.alloc(), 192, 256, uniforms.free);
    keep(instances.alloc(), 48, 16, instances.free);
    allocated += 3;
  }
  if (frame % 4 === 0) {
    keep(staging.alloc(), 16384, 4096, staging.free);
    allocated++;
  }
  // Things leave the scene in no order.
  while (live.length > 9000) {
    const i = below(live.length);
    const gone = live[i];
    live[i] = live.at(-1);
    live.pop();
    gone.release(gone.offset);
  }
}

const asked = live.reduce((sum, { bytes }) => sum + bytes, 0);
const { memory } = machine.report();
console.log(`${allocated} parts were handed out, ${live.length} are live: ${formatBytes(asked)}`);
console.log(
  `held for them: ${formatBytes(memory.heldBytes)}, ${(memory.heldBytes / asked).toFixed(2)} × what was asked for`,
);

// What the allocator promises, checked by someone who does not believe it: aligned, inside the buffer, and no two overlap.
const misaligned = live.filter(({ offset, align }) => offset % align !== 0).length;
const sorted = live.toSorted((a, b) => a.offset - b.offset);
const overlapping = sorted.filter(
  ({ offset, bytes }, i) => offset + bytes > (sorted[i + 1]?.offset ?? BUFFER),
).length;
const unmappable = live.filter(({ offset, align }) => align === 4096 && offset + 16384 > WINDOW).length;
console.log(
  `${misaligned} misaligned, ${overlapping} overlap, ${unmappable} staging buffers outside the window`,
);

for (const { offset, release } of live) release(offset);
machine.validate('full');
const left = machine.report().live.objects;
console.log(`all freed: ${left} live, the machine is valid`);
if (misaligned + overlapping + unmappable + left > 0) process.exitCode = 1;
