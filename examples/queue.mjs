// A queue without locks whose nodes come from a cache: three Workers put messages in, this thread takes them out.
//
// It is Vyukov's queue of many producers and one consumer. A producer makes its node the newest by one exchange and then links the node
// before it to it. The consumer walks the links; each step leaves one node behind that nobody can reach any more, and frees it. Nodes
// are allocated by one thread and freed by another, and what they take is bounded: a producer that gets no node waits.
//
//     node examples/queue.mjs
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { formatBytes, Machine, NULL, structLayout } from 'slablab';

const PRODUCERS = 3;
const MESSAGES = 60_000; // of each

const Node = structLayout({ next: 'u32', producer: 'u32', serial: 'u32', payload: 'u32' });
const payloadOf = (producer, serial) => (Math.imul(serial, 2654435761) ^ producer) >>> 0;
// Shared words: where the newest node's address stands, and how many producers have ended.
const NEWEST = 0;
const ENDED = 4;

if (isMainThread) {
  const memory = new SharedArrayBuffer(2 ** 20);
  const machine = Machine.create({ memory: '1M', bytes: memory, shared: true, workers: 1 + PRODUCERS });
  // A small sheaf: with 1 MiB for all, no CPU should keep many free nodes for itself. `liveCheck` sees a node that is freed twice.
  const cache = machine.kmemCacheCreate('node', Node.size, { sheafCapacity: 16, liveCheck: true });
  const node = cache.cursor(Node);
  const words = machine.views.u32;
  const queue = machine.kmalloc(8);

  // The queue is never without a node: the oldest is the one that was taken out last. At first that is a node of no message.
  let oldest = cache.alloc();
  node.at(oldest).next = NULL;
  words[(queue + NEWEST) / 4] = oldest;
  words[(queue + ENDED) / 4] = 0;

  for (let producer = 0; producer < PRODUCERS; producer++) {
    const token = machine.reserveCpu();
    const handle = machine.handleFor(token);
    const worker = new Worker(new URL(import.meta.url), { workerData: { handle, queue, producer } });
    worker.on('exit', () => machine.detachCpu(token)); // nothing, if it said goodbye
    worker.on('error', (error) => {
      throw error;
    });
  }

  const expected = new Array(PRODUCERS).fill(0);
  let received = 0;
  let wrong = 0;
  let heldMax = 0;
  while (received < PRODUCERS * MESSAGES || Atomics.load(words, (queue + ENDED) / 4) < PRODUCERS) {
    const next = Atomics.load(words, oldest / 4);
    if (next === NULL) {
      // Empty, or a producer is between its two steps. Let the event loop live: Workers start and report errors by it.
      await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    const { producer, serial, payload } = node.at(next);
    if (serial !== expected[producer]++ || payload !== payloadOf(producer, serial)) wrong++;
    cache.free(oldest);
    oldest = next;
    if (++received % 1000 === 0) heldMax = Math.max(heldMax, cache.info.nrSlabs * 4096);
  }
  cache.free(oldest);
  machine.kfree(queue);

  console.log(`${received} messages of ${PRODUCERS} producers, ${wrong} out of order or damaged`);
  console.log(`at most ${formatBytes(heldMax)} held for nodes at any look`);
  machine.validate('full');
  console.log(`${cache.live} nodes live, the machine is valid`);
  if (wrong !== 0 || cache.live !== 0 || received !== PRODUCERS * MESSAGES) process.exitCode = 1;
} else {
  const { handle, queue, producer } = workerData;
  const machine = Machine.attach(handle); // this thread is the CPU that was reserved for it
  const cache = machine.findCache('node');
  const node = cache.cursor(Node);
  const words = machine.views.u32;
  const nap = new Int32Array(new SharedArrayBuffer(4)); // nobody wakes who waits here: it sleeps for so many ms

  for (let serial = 0; serial < MESSAGES; serial++) {
    let address = cache.alloc();
    // No memory is an answer, not a failure: the consumer is behind, and this producer sleeps until nodes have come back.
    for (; address === NULL; address = cache.alloc()) Atomics.wait(nap, 0, 0, 1);
    node.at(address).producer = producer;
    node.serial = serial;
    node.payload = payloadOf(producer, serial);
    node.next = NULL;
    const before = Atomics.exchange(words, (queue + NEWEST) / 4, address);
    Atomics.store(words, before / 4, address); // `next` is a node's first word
  }
  machine.detach();
  Atomics.add(words, (queue + ENDED) / 4, 1);
}
