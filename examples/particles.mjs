// Particles that belong to no Worker: four of them share one heap, and whoever has a particle may free it.
//
// Each Worker looks after one strip of the world. A particle that leaves its strip is handed to the neighbour as a number, its address:
// nothing is copied or posted. It is freed where it dies, which is often not where it was allocated.
//
//     node examples/particles.mjs
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Machine, NULL, structLayout } from 'slablab';

const WORKERS = 4;
const FRAMES = 80;
const BORN_A_FRAME = 250; // in each strip
const LIFE = 40; // frames
const STRIP = 100; // width of a strip

// Fields lie where C would put them. `next` chains particles that are on their way to a neighbour.
const Particle = structLayout({ x: 'f32', speed: 'f32', age: 'u32', home: 'u32', next: 'u32' });

// Words that the Workers share, as indices: one mailbox a strip, then a meeting point.
const ARRIVED = WORKERS;
const MEETINGS = WORKERS + 1;
const WORDS = WORKERS + 2;

if (isMainThread) {
  const memory = new SharedArrayBuffer(16 * 2 ** 20);
  const machine = Machine.create({ memory: '16M', bytes: memory, shared: true, workers: 1 + WORKERS });
  const cache = machine.kmemCacheCreate('particle', Particle.size, { align: Particle.align });
  const words = machine.kmalloc(WORDS * 4); // the shared words; a fresh SharedArrayBuffer is all zeros

  const workers = Array.from({ length: WORKERS }, (_, strip) => {
    const token = machine.reserveCpu();
    const workerData = { handle: machine.handleFor(token), words, strip };
    const worker = new Worker(new URL(import.meta.url), { workerData });
    worker.on('exit', () => machine.detachCpu(token)); // nothing, if it said goodbye
    return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  });
  const sum = { born: 0, died: 0, diedAbroad: 0, moved: 0 };
  for (const counts of await Promise.all(workers)) for (const key in sum) sum[key] += counts[key];

  console.log(`${WORKERS} Workers moved ${sum.born} particles through ${FRAMES} frames`);
  console.log(`${sum.moved} times one crossed into another Worker's strip`);
  console.log(`${sum.died} freed, ${sum.diedAbroad} of them by a Worker that had not allocated them`);

  // Every Worker gave back what its CPU kept: the caches are as they would be had one thread done it all.
  machine.kfree(words);
  machine.validate('full');
  console.log(`${cache.live} live, the machine is valid`);
  if (cache.live !== 0 || sum.born !== sum.died || sum.diedAbroad === 0) process.exitCode = 1;
} else {
  const { handle, words, strip } = workerData;
  const machine = Machine.attach(handle); // this thread is the CPU that was reserved for it
  const cache = machine.findCache('particle');
  const { alloc, free } = cache; // they need no `this`
  const p = cache.cursor(Particle); // reads and writes the fields of whichever object it stands on
  const shared = machine.views.i32;
  const mailbox = (of) => words / 4 + of;

  // Nobody goes on before all have come.
  function meet() {
    const seen = Atomics.load(shared, mailbox(MEETINGS));
    if (Atomics.add(shared, mailbox(ARRIVED), 1) === WORKERS - 1) {
      Atomics.store(shared, mailbox(ARRIVED), 0);
      Atomics.add(shared, mailbox(MEETINGS), 1);
      Atomics.notify(shared, mailbox(MEETINGS));
      return;
    }
    // In a loop: a call of `notify` for the last meeting may come late and wake who waits for the next one.
    while (Atomics.load(shared, mailbox(MEETINGS)) === seen) Atomics.wait(shared, mailbox(MEETINGS), seen);
  }

  // A mailbox is a stack. Many push to it; its owner takes all at once, so no address can come back unnoticed between two steps.
  function send(particle, to) {
    let first;
    do {
      first = Atomics.load(shared, mailbox(to));
      p.at(particle).next = first;
    } while (Atomics.compareExchange(shared, mailbox(to), first, particle) !== first);
  }

  const counts = { born: 0, died: 0, diedAbroad: 0, moved: 0 };
  function bury(particle) {
    counts.died++;
    if (p.at(particle).home !== strip) counts.diedAbroad++;
    free(particle);
  }

  let mine = [];
  for (let frame = 0; frame < FRAMES; frame++) {
    for (let i = 0; i < BORN_A_FRAME; i++) {
      const particle = alloc();
      if (particle === NULL) throw new Error('out of memory');
      p.at(particle).x = strip * STRIP + (i % STRIP);
      p.speed = ((i * 7) % 13) - 6; // from -6 to 6
      p.age = 0;
      p.home = strip;
      mine.push(particle);
      counts.born++;
    }
    const stay = [];
    for (const particle of mine) {
      // The world is a ring.
      p.at(particle).x = (p.x + p.speed + WORKERS * STRIP) % (WORKERS * STRIP);
      const to = Math.floor(p.x / STRIP);
      if (++p.age > LIFE) bury(particle);
      else if (to === strip) stay.push(particle);
      else {
        counts.moved++;
        send(particle, to);
      }
    }
    mine = stay;
    meet();
    for (let at = Atomics.exchange(shared, mailbox(strip), NULL); at !== NULL; at = p.at(at).next)
      mine.push(at);
    meet();
  }
  for (const particle of mine) bury(particle);
  machine.detach(); // what this CPU kept in its sheaf and slabs goes back
  parentPort.postMessage(counts);
}
