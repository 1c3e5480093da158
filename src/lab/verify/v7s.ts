/**
 * Holds ArmV7sPageTable against recorded page tables of a real kernel (truth/README.md, "v7s"). A case is one domain in a machine that
 * has nothing else: whether it could be made and with which registers, then after each operation what it returned, every TLB callback,
 * every table handed out or given back, every warning, and in dumps every word of every table; at the end what freeing it did.
 *
 * Not compared: physical addresses, what of them stands in TTBR and, with ARM_MTK_TTBR_EXT, in pointers to tables, and how many pages
 * were left to exhaust.
 */
import type { Gfp } from '../../base/index.js';
import type { ArmV7sPageTable } from '../../iommu/index.js';
import { __GFP, GFP } from '../../machine/index.js';
import type { Machine } from '../../slab/index.js';
import { type Expect, malformed, type SetResult, SetTally } from './result.js';
import { type Dump, dumpDomain, placeless } from './v7s-dump.js';
import { ExhaustedMemory } from './v7s-memory.js';
import {
  type FlushCounts,
  hex,
  type Observed,
  type RecordedV7sConfig,
  type TableEvent,
  type TlbCall,
  type V7sMeta,
  V7sObserver,
  v7sMachine,
} from './v7s-recording.js';

/** What a call did beside returning; what is missing did not happen. */
interface SideEffects {
  readonly flush?: FlushCounts;
  readonly calls?: readonly TlbCall[];
  readonly l2?: readonly TableEvent[];
  readonly warn?: number;
}

/** Addresses and sizes are hex. */
type RecordedOp =
  | (SideEffects & {
      readonly op: 'map';
      readonly iova: string;
      readonly paddr: string;
      readonly size: string;
      readonly count: number;
      readonly prot: number;
      readonly gfp: string;
      readonly ret: number;
      readonly mapped: string;
    })
  | (SideEffects & {
      readonly op: 'unmap';
      readonly iova: string;
      readonly size: string;
      readonly count: number;
      readonly gather: 'plain' | 'queued' | null;
      readonly ret: string;
    })
  | (SideEffects & { readonly op: 'phys'; readonly iova: string; readonly ret: string })
  | (SideEffects & Dump & { readonly op: 'dump' })
  | (SideEffects & { readonly op: 'exhaust'; readonly on: boolean });

type RecordedCreate =
  | { readonly ok: false }
  | {
      readonly ok: true;
      readonly pgsizes: string;
      readonly ttbrLow: string;
      readonly tcr: string;
      readonly nmrr: string;
      readonly prrr: string;
      readonly l1: { readonly bytes: number; readonly order: number; readonly zone: string };
      readonly l2size: number;
    };

interface RecordedCase {
  readonly name: string;
  readonly kind: string;
  readonly cfg: RecordedV7sConfig;
  readonly create: RecordedCreate;
  readonly ops: readonly RecordedOp[];
  readonly free?: SideEffects & {
    readonly leaked: readonly number[];
    readonly l2zones: readonly (readonly [zone: string, count: number])[];
  };
}

export interface V7sRecording {
  readonly meta: V7sMeta;
  readonly cases: readonly RecordedCase[];
}

/** Throws ArgumentError if the recording is not one of page tables. */
export function verifyV7s(recording: V7sRecording, set: string): SetResult {
  const { meta, cases } = recording;
  if (!Array.isArray(cases)) throw malformed(set, 'a list `cases`', cases);
  const tally = new SetTally(set);
  let operations = 0;
  let machine: Machine | undefined = v7sMachine(meta);
  cases.forEach((recorded: RecordedCase, i) => {
    const name = checkedCase(recorded, `case ${i}`);
    const cursor = { op: -1 };
    const where = () => `${name}${cursor.op < 0 ? '' : `, op ${cursor.op} '${recorded.ops[cursor.op]!.op}'`}`;
    tally.case(where, (expect) => {
      const used = machine ?? v7sMachine(meta);
      machine = undefined;
      verifyCase(used, recorded, cursor, expect);
      // What a case leaves behind must not come into the next.
      if (used.memory.takenPages() === 0 && used.caches().length === 0) machine = used;
    });
    operations += recorded.ops.length;
  });
  const starved = cases.filter(({ kind }) => kind === 'nomem').length;
  const nomem = starved === 0 ? '' : `; in ${starved} the recording says when memory is gone`;
  return {
    ...tally.result(),
    note: `${operations} operations${nomem}; where tables lay in memory, but for the zone, is not compared`,
  };
}

/** Which operation is under way; -1 before the first and after the last. */
interface Cursor {
  op: number;
}

function verifyCase(machine: Machine, recorded: RecordedCase, cursor: Cursor, expect: Expect): void {
  const observer = new V7sObserver(machine, recorded.cfg, true);
  const { domain } = observer;
  expect('create.ok', recorded.create.ok, domain !== null);
  if (recorded.create.ok && domain !== null) {
    verifyCreate(recorded.create, domain, machine.zoneOf(domain.l1.address), expect);
    const memory = new ExhaustedMemory(machine, domain.source.cache!);
    recorded.ops.forEach((op, i) => {
      cursor.op = i;
      if (op.op === 'exhaust' && op.on) memory.exhaust(tablesUntilRelease(recorded.ops, i));
      else if (op.op === 'exhaust') memory.release();
      else memory.before(op.l2 ?? []);
      verifyReturned(op, domain, expect);
      verifySideEffects(op, observer.take(), expect);
    });
    cursor.op = -1;
    memory.release();
    verifyFree(recorded, observer, expect);
    if (domain.liveTables === 0) expect('pages held after free', 0, machine.memory.takenPages());
  } else {
    domain?.free();
  }
  machine.validate();
}

function verifyCreate(
  recorded: RecordedCreate & { ok: true },
  { config, registers, l1, source }: ArmV7sPageTable,
  zone: string | undefined,
  expect: Expect,
): void {
  expect('create.pgsizes', recorded.pgsizes, hex(config.pgsizeBitmap));
  expect('create.ttbrLow', recorded.ttbrLow, hex(registers.ttbr & 0x7f));
  for (const name of ['tcr', 'nmrr', 'prrr'] as const)
    expect(`create.${name}`, recorded[name], hex(registers[name]));
  const { bytes, order } = recorded.l1;
  expect('create.l1', { bytes, order, zone: recorded.l1.zone }, { bytes: l1.bytes, order: l1.order, zone });
  expect('create.l2size', recorded.l2size, source.cache?.info.objectSize);
}

/** How many tables were handed out from an operation on until memory was given back. */
function tablesUntilRelease(ops: readonly RecordedOp[], from: number): number {
  let tables = 0;
  for (let i = from + 1; i < ops.length; i++) {
    const op = ops[i]!;
    if (op.op === 'exhaust') break;
    tables += op.l2?.filter(([kind]) => kind === 'a').length ?? 0;
  }
  return tables;
}

function verifyReturned(op: RecordedOp, domain: ArmV7sPageTable, expect: Expect): void {
  switch (op.op) {
    case 'map': {
      const { iova, paddr, size, count, prot } = op;
      const got = domain.map(Number(iova), Number(paddr), Number(size), count, prot, gfpOf(op.gfp));
      expect('ret', op.ret, got.ret);
      expect('mapped', op.mapped, hex(got.mapped));
      return;
    }
    case 'unmap': {
      const gather = op.gather === 'queued' ? 'queued' : 'plain';
      expect('ret', op.ret, hex(domain.unmap(Number(op.iova), Number(op.size), op.count, gather)));
      return;
    }
    case 'phys':
      expect('ret', op.ret, hex(domain.iovaToPhys(Number(op.iova))));
      return;
    case 'dump': {
      const recorded = placeless(op);
      const got = placeless(dumpDomain(domain.machine, domain));
      expect('dump.l1', recorded.l1, got.l1);
      expect('dump.tables', recorded.tables, got.tables);
      expect('dump.live', recorded.live, got.live);
      return;
    }
    case 'exhaust':
      return;
  }
}

function verifySideEffects(recorded: SideEffects, got: Observed, expect: Expect): void {
  expect('flush', recorded.flush ?? [0, 0, 0], got.flush);
  expect('calls', recorded.calls ?? [], got.calls);
  expect('l2', recorded.l2 ?? [], got.l2);
  expect('warn', recorded.warn ?? 0, got.warn);
}

function verifyFree({ free }: RecordedCase, observer: V7sObserver, expect: Expect): void {
  const domain = observer.domain!;
  domain.free();
  verifySideEffects(free!, observer.take(), expect);
  expect(
    'free.leaked',
    free!.leaked,
    domain.tables().map(({ id }) => id),
  );
  expect('free.l2zones', free!.l2zones, observer.zones());
}

/** The recorder's words for what it passed. */
const GFPS: Readonly<Record<string, Gfp>> = {
  KERNEL: GFP.KERNEL,
  ATOMIC: GFP.ATOMIC,
  NOWAIT: (GFP.NOWAIT | __GFP.NOWARN) as Gfp,
};

function gfpOf(word: string): Gfp {
  const gfp = GFPS[word];
  if (gfp === undefined) throw malformed('gfp', Object.keys(GFPS).join(', '), word);
  return gfp;
}

const OPS: Readonly<Record<RecordedOp['op'], readonly string[]>> = {
  map: ['iova', 'paddr', 'size', 'count', 'prot', 'gfp', 'ret', 'mapped'],
  unmap: ['iova', 'size', 'count', 'gather', 'ret'],
  phys: ['iova', 'ret'],
  dump: ['l1', 'tables', 'live'],
  exhaust: ['on'],
};

/** The case's name. Throws ArgumentError for what is none, so that nothing passes by not being there. */
function checkedCase(recorded: RecordedCase, number: string): string {
  const name = typeof recorded?.name === 'string' ? recorded.name : number;
  if (typeof recorded?.cfg !== 'object') throw malformed(name, 'a configuration `cfg`', recorded?.cfg);
  if (typeof recorded.create?.ok !== 'boolean') throw malformed(name, '`create` with ok', recorded.create);
  if (!Array.isArray(recorded.ops)) throw malformed(name, 'a list `ops`', recorded.ops);
  if (!recorded.create.ok && recorded.ops.length > 0)
    throw malformed(name, 'no operations on what was not created', recorded.ops.length);
  if (recorded.create.ok && !Array.isArray(recorded.free?.leaked))
    throw malformed(name, '`free` with leaked', recorded.free);
  recorded.ops.forEach((op: RecordedOp, i) => {
    const fields = OPS[op?.op];
    if (fields === undefined) throw malformed(`${name}, op ${i}`, Object.keys(OPS).join(', '), op?.op);
    for (const field of fields) {
      if (!(field in op)) throw malformed(`${name}, op ${i}`, `'${op.op}' with ${field}`, op);
    }
  });
  return name;
}
