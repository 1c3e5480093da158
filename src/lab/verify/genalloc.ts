/**
 * Holds GenPool against recorded gen_pools of a real kernel (truth/README.md, "genalloc"). A case is one
 * pool: what it says after its chunks were added, and after each operation the address and what is available.
 *
 * Operations: `a<size>` allocates; `f<k>` frees the k-th allocation, or does nothing if that failed or was
 * freed; `x<size>@<offset>` allocates with fixed_alloc, `g<size>@<align>` with first_fit_align;
 * `h<address>@<size>` looks an address up. The recorder passed one and the same struct as `data` for the pool
 * and for `x` and `g`, so these change what a later `a` of their algorithm uses.
 */
import { NULL, type PhysAddr } from '../../base/index.js';
import { GenPool, type GenPoolAlgo } from '../../pools/index.js';
import { type Expect, malformed, type SetResult, SetTally } from './result.js';

/** One recorded pool. */
interface RecordedPool {
  readonly why: string;
  readonly min_order: number;
  readonly algo: GenPoolAlgo;
  readonly data: number;
  /** Address and bytes, and the physical address where one was given; in the order added. */
  readonly chunks: readonly (readonly number[])[];
  readonly ops: string;
  /** What adding each chunk returned. */
  readonly add_returns: readonly number[];
  readonly size: number;
  /** Available before the first operation and after the last. */
  readonly avail0: number;
  readonly avail: number;
  /** For each operation: address, available; for `h`: whether the pool has it, physical address. */
  readonly r: readonly (readonly [number, number])[];
}

export interface GenallocRecording {
  readonly pools: readonly RecordedPool[];
}

interface Op {
  readonly text: string;
  readonly kind: string;
  readonly value: number;
  /** What stands behind `@`. */
  readonly at: number;
}

const ALGOS = ['first_fit', 'first_fit_align', 'first_fit_order_align', 'best_fit', 'fixed_alloc'];
const NUMBERS = ['min_order', 'data', 'size', 'avail0', 'avail'] as const;

/** Throws ArgumentError if the recording is not one of genalloc. */
export function verifyGenalloc(recording: GenallocRecording, set: string): SetResult {
  if (!Array.isArray(recording?.pools)) throw malformed(set, 'a list `pools`', recording?.pools);
  const tally = new SetTally(set);
  recording.pools.forEach((pool, i) => {
    const name = `pool ${i}`;
    const ops = checkedOps(pool, name);
    const cursor = { op: -1 };
    const where = () => {
      const op = ops[cursor.op];
      return `${name} (${pool.why}, ${pool.algo})${op ? `, op ${cursor.op} '${op.text}'` : ''}`;
    };
    tally.case(where, (expect) => verifyPool(pool, ops, cursor, expect));
  });
  return tally.result();
}

/** Which operation is under way; -1 before the first and after the last. */
interface Cursor {
  op: number;
}

function verifyPool(recorded: RecordedPool, ops: readonly Op[], cursor: Cursor, expect: Expect): void {
  const { algo, min_order: minOrder, data } = recorded;
  const pool = new GenPool({ minOrder, algo, data });
  const returned = recorded.chunks.map(([address, size, phys]) => {
    pool.add(address!, size!, phys);
    return 0;
  });
  expect('add_returns', recorded.add_returns, returned);
  expect('size', recorded.size, pool.size);
  expect('avail0', recorded.avail0, pool.avail);
  const allocations = replay(pool, recorded, ops, cursor, expect);
  cursor.op = -1;
  expect('avail', recorded.avail, pool.avail);
  pool.validate();
  for (const { address, size } of allocations) if (address !== NULL) pool.free(address, size);
  pool.validate();
  pool.destroy();
}

interface Allocation {
  address: PhysAddr;
  readonly size: number;
}

function replay(
  pool: GenPool,
  recorded: RecordedPool,
  ops: readonly Op[],
  cursor: Cursor,
  expect: Expect,
): Allocation[] {
  const allocations: Allocation[] = [];
  let align = recorded.data;
  let offset = recorded.data;
  ops.forEach((op, i) => {
    const [first, second] = recorded.r[i]!;
    cursor.op = i;
    if (op.kind === 'h') {
      expect('has_addr', first, pool.hasAddr(op.value, op.at) ? 1 : 0);
      expect('virt_to_phys', second, asUnsigned64(pool.virtToPhys(op.value)));
      return;
    }
    if (op.kind === 'f') {
      const freed = allocations[op.value];
      if (freed !== undefined && freed.address !== NULL) pool.free(freed.address, freed.size);
      if (freed !== undefined) freed.address = NULL;
      expect('address', first, -1);
    } else {
      const algo = op.kind === 'x' ? 'fixed_alloc' : op.kind === 'g' ? 'first_fit_align' : recorded.algo;
      if (op.kind === 'x') offset = op.at;
      if (op.kind === 'g') align = op.at;
      const data = algo === 'fixed_alloc' ? offset : algo === 'first_fit_align' ? align : 0;
      const address = pool.alloc(op.value, { algo, data });
      allocations.push({ address, size: op.value });
      expect('address', first, address);
    }
    expect('avail', second, pool.avail);
  });
  return allocations;
}

/**
 * The recorder printed a physical address as an unsigned 64-bit number, -1 among them, and JSON made it the
 * nearest double.
 */
function asUnsigned64(x: number): number {
  return x < 0 ? x + 2 ** 64 : x;
}

function checkedOps(pool: RecordedPool, name: string): Op[] {
  if (typeof pool?.ops !== 'string') throw malformed(name, 'operations as a string `ops`', pool?.ops);
  if (!ALGOS.includes(pool.algo)) {
    throw malformed(name, `\`algo\` to be one of ${ALGOS.join(', ')}`, pool.algo);
  }
  for (const field of NUMBERS) {
    if (typeof pool[field] !== 'number') throw malformed(name, `a number \`${field}\``, pool[field]);
  }
  if (
    !Array.isArray(pool.chunks) ||
    !pool.chunks.every((c) => Array.isArray(c) && (c.length === 2 || c.length === 3))
  ) {
    throw malformed(name, '`chunks` as [address, size] or [address, size, phys]', pool.chunks);
  }
  if (!Array.isArray(pool.add_returns)) throw malformed(name, 'a list `add_returns`', pool.add_returns);
  const ops = pool.ops
    .split(' ')
    .filter(Boolean)
    .map((text) => parseOp(text, name));
  if (
    !Array.isArray(pool.r) ||
    pool.r.length !== ops.length ||
    !pool.r.every((pair) => Array.isArray(pair) && pair.length === 2)
  ) {
    throw malformed(name, `\`r\` with a pair for each of ${ops.length} operations`, pool.r?.length);
  }
  return ops;
}

function parseOp(text: string, name: string): Op {
  const match = /^(?:([af])(\d+)|([xgh])(\d+)@(\d+))$/.exec(text);
  if (!match) throw malformed(name, 'an operation such as a512, f3, x512@1024, g512@4096, h4096@512', text);
  return {
    text,
    kind: match[1] ?? match[3]!,
    value: Number(match[2] ?? match[4]),
    at: Number(match[5] ?? 0),
  };
}
