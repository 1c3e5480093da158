// WebAssembly that allocates through the machine: the module imports `alloc` and `free` as other modules bring their own malloc along.
//
// Module and machine share one WebAssembly.Memory. The machine writes nothing into it, so it can manage it from outside, and a bug in the
// module cannot damage the allocator's books. Address 0 is never handed out: NULL is 0 on both sides.
//
//     node examples/wasm.mjs
import { BadFreeError, Machine } from 'slablab';

// ---- a module by hand: a singly linked list of numbers ---------------------------------------------------------------------

const I32 = 0x7f;
const [GET, SET, TEE, LOAD, STORE, CONST, ADD, IS_ZERO] = [0x20, 0x21, 0x22, 0x28, 0x36, 0x41, 0x6a, 0x45];
const [BLOCK, LOOP, IF, END, BRANCH, BRANCH_IF, RETURN, CALL] = [
  0x02, 0x03, 0x04, 0x0b, 0x0c, 0x0d, 0x0f, 0x10,
];
const NOTHING = 0x40;
const [ALLOC, FREE] = [0, 1]; // imported functions come first
const [NODE, VALUE, NEXT] = [0, 0, 4]; // a local; and where a node keeps its two words
const load = (offset) => [LOAD, 2, offset]; // aligned to 2^2
const store = (offset) => [STORE, 2, offset];
/** while (local NODE is not NULL) body */
const whileNode = (...body) => [
  ...[BLOCK, NOTHING, LOOP, NOTHING, GET, NODE, IS_ZERO, BRANCH_IF, 1],
  ...[...body, BRANCH, 0, END, END],
];

// push(list, value): the list with a node more, or NULL when there is no memory for it
const push = [
  ...[CALL, ALLOC, TEE, 2, IS_ZERO, IF, NOTHING, CONST, 0, RETURN, END],
  ...[GET, 2, GET, 1, ...store(VALUE)],
  ...[GET, 2, GET, 0, ...store(NEXT)],
  ...[GET, 2],
];
// sum(list)
const sum = [
  ...whileNode(...[GET, 1, GET, NODE, ...load(VALUE), ADD, SET, 1], ...[GET, NODE, ...load(NEXT), SET, NODE]),
  ...[GET, 1],
];
// drop(list): frees each node; returns how many there were
const drop = [
  ...whileNode(
    ...[GET, NODE, ...load(NEXT), SET, 2],
    ...[GET, NODE, CALL, FREE],
    ...[GET, 2, SET, NODE, GET, 1, CONST, 1, ADD, SET, 1],
  ),
  ...[GET, 1],
];

/** An unsigned number in seven bits a byte, lowest first; things that follow their count; a name. */
const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >>> 7)]);
const list = (items) => [...leb(items.length), ...items.flat()];
const name = (text) => list([...text].map((c) => c.charCodeAt(0)));
const section = (id, items) => {
  const bytes = list(items);
  return [id, ...leb(bytes.length), ...bytes];
};
const type = (params, results) => [0x60, ...list(params.map(() => I32)), ...list(results.map(() => I32))];
const code = (locals, body) => {
  const bytes = [1, locals, I32, ...body, END];
  return [...leb(bytes.length), ...bytes];
};

const PAGES = 64; // of 64 KiB: 4 MiB
const module = new WebAssembly.Module(
  new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [type([], [0]), type([0], []), type([0, 0], [0]), type([0], [0])]),
    ...section(2, [
      [...name('heap'), ...name('alloc'), 0, 0],
      [...name('heap'), ...name('free'), 0, 1],
      [...name('heap'), ...name('memory'), 2, 1, ...leb(PAGES), ...leb(PAGES)],
    ]),
    ...section(3, [[2], [3], [3]]),
    ...section(
      7,
      ['push', 'sum', 'drop'].map((each, i) => [...name(each), 0, 2 + i]),
    ),
    ...section(10, [code(1, push), code(1, sum), code(2, drop)]),
  ]),
);

// ---- the machine that it allocates from -------------------------------------------------------------------------------------------

// A memory that could grow would get a new buffer, and the machine would look at the old one: its maximum is what it begins with.
const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
const machine = Machine.create({ memory: PAGES * 65536, bytes: memory, workers: 1 });
// `liveCheck`: a node that is freed twice is noticed at once; it costs a load and two stores a pair.
const nodes = machine.kmemCacheCreate('list_node', 8, { liveCheck: true });
const { alloc, free } = nodes;
const heap = { memory, alloc: () => alloc(), free: (address) => free(address >>> 0) };
const wasm = new WebAssembly.Instance(module, { heap }).exports;

const COUNT = 100_000;
let numbers = 0;
for (let i = 1; i <= COUNT; i++) numbers = wasm.push(numbers, i);
const total = wasm.sum(numbers) >>> 0; // 32 bits, as the module counts
console.log(`the module keeps ${nodes.live} numbers in ${nodes.info.nrSlabs} slabs; their sum is ${total}`);
// JavaScript sees the same list.
const words = machine.views.u32;
let seen = 0;
for (let at = numbers; at !== 0; at = words[(at + NEXT) / 4]) seen = (seen + words[(at + VALUE) / 4]) >>> 0;
console.log(`JavaScript, walking the same nodes, comes to ${seen}`);

const dropped = wasm.drop(numbers);
console.log(`the module freed ${dropped}; ${nodes.live} are live`);

// A bug in the module: it drops the list again. The error passes through the module to whoever called it; nothing was changed.
let caught;
try {
  wasm.drop(numbers);
} catch (error) {
  caught = error;
  console.log(`freed again: ${error.name}: ${error.message}`);
}
machine.validate('full');
console.log('the machine is valid');
const expected = ((COUNT * (COUNT + 1)) / 2) % 2 ** 32;
if (total !== expected || seen !== expected || dropped !== COUNT || nodes.live !== 0) process.exitCode = 1;
if (!(caught instanceof BadFreeError)) process.exitCode = 1;
