/**
 * What of a machine travels to another thread: its ledger, and its memory where that is one buffer. Both are shared, not copied.
 */
import { ArgumentError } from '../../base/index.js';
import {
  type CpuToken,
  flatBytes,
  flatMap,
  H_CONCURRENT,
  type KernelLog,
  type ManagedBytes,
  type MemoryMap,
  memoryMapOf,
  openPhysicalMemory,
  type PhysicalMemory,
  sparseBytes,
  type ZoneSpec,
} from '../../machine/index.js';
import type { AllocatorName } from '../kernel/index.js';

/** Memory that a program owns, byte 0 of which is the first byte of RAM: a buffer, or a WebAssembly.Memory, which must not grow later. */
export type ManagedBuffer =
  | SharedArrayBuffer
  | ArrayBuffer
  | { readonly buffer: SharedArrayBuffer | ArrayBuffer };

/** What `Machine.attach` takes: plain data that can be posted to a Worker. */
export interface MachineHandle {
  readonly slablab: 'machine';
  readonly ledger: SharedArrayBuffer;
  /** The managed memory, null where the machine has none of its own; and the address of its first byte. */
  readonly bytes: ManagedBuffer | null;
  readonly base: number;
  /** The CPU that was reserved for whoever attaches with it; null for any that is absent. */
  readonly cpu: CpuToken | null;
}

/** The managed memory of a machine. */
export interface AttachedMemory {
  readonly bytes?: ManagedBytes | undefined;
  /** As it came, where it came as a buffer, and the address of its first byte. */
  readonly buffer?: ManagedBuffer | undefined;
  readonly base?: number;
}

/** What `Machine.create` says of memory. */
interface MemoryOptions {
  readonly machine?: string | MemoryMap;
  readonly memory?: number | string;
  readonly zones?: readonly ZoneSpec[];
  readonly workers?: number;
}

const DEFAULT_FLAT = '256M';

export function memoryOf({ machine, memory, zones, workers }: MemoryOptions): MemoryMap {
  if (typeof machine === 'object') return machine;
  const flat = workers !== undefined || zones !== undefined || typeof memory === 'string';
  if (machine === undefined && flat) return flatMap(memory ?? DEFAULT_FLAT, zones);
  if (zones !== undefined) throw new ArgumentError(`the board ${machine} has zones of its own`);
  return memoryMapOf(machine, memory);
}

export function isBuffer(bytes: boolean | ManagedBytes | ManagedBuffer | undefined): bytes is ManagedBuffer {
  return typeof bytes === 'object' && ('byteLength' in bytes || 'buffer' in bytes);
}

/** The bytes that a machine's maker wants. Throws ArgumentError for a buffer that is smaller than the RAM. */
export function attachedBytes(
  wanted: boolean | ManagedBytes | ManagedBuffer | undefined,
  map: MemoryMap,
  pageSize: number,
): ManagedBytes | undefined {
  if (wanted === true) return sparseBytes(pageSize);
  if (!isBuffer(wanted)) return wanted || undefined;
  const base = map.ram[0]!.start;
  const needed = map.ram.at(-1)!.end - base;
  const { byteLength } = arrayOf(wanted);
  if (byteLength < needed)
    throw new ArgumentError(
      `this memory has ${byteLength} bytes, the machine ${needed} from its first to its last`,
    );
  return flatBytes(arrayOf(wanted), base);
}

export function bufferBytes(buffer: ManagedBuffer, base: number): ManagedBytes {
  return flatBytes(arrayOf(buffer), base);
}

function arrayOf(memory: ManagedBuffer): Uint8Array {
  return new Uint8Array('buffer' in memory ? memory.buffer : memory);
}

/** A machine's handle. It may be given away at once: from now on slow paths lock. */
export function machineHandle(
  memory: PhysicalMemory,
  bytes: ManagedBuffer | undefined,
  base: number,
  allocator: AllocatorName,
  faithful: boolean,
): MachineHandle {
  memory.locks.check();
  const { buffer, header } = memory.ledger;
  if (buffer instanceof ArrayBuffer)
    throw new ArgumentError('only a machine that was made with `shared: true` can be given to other threads');
  if (allocator === 'slab')
    throw new ArgumentError('SLAB has arrays that CPUs share without a lock: one thread plays them all');
  if (faithful)
    throw new ArgumentError(
      'the faithful mode keeps stray pointers beside the ledger: one thread plays all CPUs',
    );
  if (bytes !== undefined && !('buffer' in bytes) && bytes instanceof ArrayBuffer)
    throw new ArgumentError(
      'an ArrayBuffer cannot be given to other threads: make the memory a SharedArrayBuffer',
    );
  Atomics.store(header, H_CONCURRENT, 1);
  return { slablab: 'machine', ledger: buffer, bytes: bytes ?? null, base, cpu: null };
}

/** The memory that a handle leads to. Throws ArgumentError for what is no handle. */
export function adoptMemory(handle: MachineHandle, log?: KernelLog): PhysicalMemory {
  const shared = typeof SharedArrayBuffer === 'function' && handle?.ledger instanceof SharedArrayBuffer;
  if (handle?.slablab !== 'machine' || !shared)
    throw new ArgumentError('this is no handle of a machine: `machine.handle` is, as it was posted');
  return openPhysicalMemory(handle.ledger, log);
}
