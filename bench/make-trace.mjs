// Prints a kmem trace as ftrace would, of as many events as wanted: for trying what no recording is large enough for.
//
//     node bench/make-trace.mjs 100000000 | /usr/bin/time -v node dist/cli/main.js replay -
//     node bench/make-trace.mjs 1000000 --live 50000 --cpus 8 --seed 7 > made.txt
//
// Objects of 24 caches and of kmalloc come and go at random, with about so many live; each lies where its cache's slabs would be, and is
// freed by whichever CPU is next. A line is about 165 bytes. The same numbers give the same text.
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Random } from '../dist/base/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    live: { type: 'string', default: '200000' },
    cpus: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
});
const events = Number(positionals[0]);
const live = Number(values.live);
const cpus = Number(values.cpus);
const random = new Random(Number(values.seed));
if (![events, live, cpus].every((n) => Number.isSafeInteger(n) && n > 0)) {
  process.stderr.write('usage: node bench/make-trace.mjs EVENTS [--live N] [--cpus N] [--seed N]\n');
  process.exit(2);
}

/** A line behind the time, up to the pointer and from there on, for an allocation and a free. */
const KINDS = [
  ...Array.from({ length: 24 }, (_, i) => {
    const bytes = 64 + i * 56;
    return {
      bytes,
      alloc: [
        `: kmem_cache_alloc: call_site=make_thing_${i}+0x1c/0x90 ptr=`,
        ` bytes_req=${bytes} bytes_alloc=${bytes} gfp_flags=GFP_KERNEL node=-1 accounted=false\n`,
      ],
      free: [`: kmem_cache_free: call_site=drop_thing_${i}+0x33/0x60 ptr=`, ` name=thing_${i}\n`],
    };
  }),
  ...[8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096].map((bytes) => ({
    bytes,
    alloc: [
      `: kmalloc: call_site=get_buffer_${bytes}+0x48/0x100 ptr=`,
      ` bytes_req=${bytes - 3} bytes_alloc=${bytes} gfp_flags=GFP_KERNEL|__GFP_ZERO node=-1 accounted=false\n`,
    ],
    free: [`: kfree: call_site=put_buffer_${bytes}+0x12/0x40 ptr=`, '\n'],
  })),
];
/** Each kind has a range of addresses, 64 GiB apart. */
const RANGE = 2 ** 36;
const BASE = 0x8880_0000_0000;

const kindOf = new Uint8Array(2 * live);
const placeOf = new Uint32Array(2 * live);
/** Places of each kind that were freed, the newest last, and how many there are. */
const freed = KINDS.map(() => []);
const places = new Uint32Array(KINDS.length);
let count = 0;

function pointer(kind, place) {
  return `ffff${(BASE + kind * RANGE + place * KINDS[kind].bytes).toString(16)}`;
}

const PIECE = 1 << 16;
let text = '# tracer: nop\n#\n';
for (let i = 0; i < events; i++) {
  const cpu = random.below(cpus);
  const head = `          worker-${100 + cpu}     [00${cpu}] .....  ${(i * 0.7e-6 + 1).toFixed(6)}`;
  const grows = count < live / 2 || (count < 2 * live && random.below(2) === 0);
  if (grows) {
    const kind = random.below(KINDS.length);
    const place = freed[kind].pop() ?? places[kind]++;
    kindOf[count] = kind;
    placeOf[count++] = place;
    text += `${head}${KINDS[kind].alloc[0]}${pointer(kind, place)}${KINDS[kind].alloc[1]}`;
  } else {
    const at = random.below(count);
    const kind = kindOf[at];
    text += `${head}${KINDS[kind].free[0]}${pointer(kind, placeOf[at])}${KINDS[kind].free[1]}`;
    freed[kind].push(placeOf[at]);
    count--;
    kindOf[at] = kindOf[count];
    placeOf[at] = placeOf[count];
  }
  if (text.length >= PIECE) flush();
}
flush();

/** All of the text, also to a pipe that takes a part of it at a time. */
function flush() {
  const bytes = Buffer.from(text, 'latin1');
  text = '';
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code === 'EPIPE') process.exit(0);
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
