/**
 * Where objects were allocated and freed: the stacks of calls, all or a sample of them.
 *
 * A layer over an allocator. It notes the stack of every n-th allocation, and of the free of the same object; equal stacks are kept once. A
 * free that is refused says both. Nothing of this is data of the machine: it does not travel with its ledger.
 */
import { BadFreeError, type Gfp, NULL, type PhysAddr } from '../../base/index.js';
import type { CacheAllocator, Caller } from '../cache/index.js';

/** What is known of an address. Lines of a stack, innermost first, without the engine's own. */
interface ObjectStacks {
  readonly allocatedAt: string;
  readonly freedAt: string | undefined;
}

/** The stacks that were noted, by address. */
export interface Stacks {
  /** The object that was handed out last at an address, if that was sampled. */
  of(address: number): ObjectStacks | undefined;
}

interface Noted {
  allocated: number;
  freed: number;
}

/** How deep a stack is kept. */
const FRAMES_MAX = 12;
/** Files of the engine that a call comes through. */
const OWN_FILES =
  /[\\/](?:leaks[\\/]stacks|kmem-cache|kmalloc[\\/](?:kmalloc|hot)|cache[\\/]view|slab[\\/]machine)\.[jt]s[:)]/;

/** How the host came to call the program: nobody's business here. */
const HOST = /\(?node:internal\//;

/** The stack of the caller of the engine. */
function callerStack(): string {
  const lines = (new Error().stack ?? '')
    .split('\n')
    .slice(1)
    .filter((line) => !HOST.test(line));
  const first = lines.findIndex((line) => !OWN_FILES.test(line));
  return lines
    .slice(Math.max(first, 0), Math.max(first, 0) + FRAMES_MAX)
    .map((line) => line.trim())
    .join('\n');
}

/**
 * The allocator with its callers noted: every `every`-th object's, counted over all caches. `caller.site` is the innermost frame meanwhile,
 * for the tracks that debugged caches keep themselves.
 */
export function withStacks<A extends CacheAllocator>(
  inner: A,
  every: number,
  caller: Caller,
): { readonly allocator: A; readonly stacks: Stacks } {
  const texts: string[] = [''];
  const numbers = new Map<string, number>();
  const noted = new Map<number, Noted>();
  let calls = 0;

  function note(): number {
    const text = callerStack();
    let number = numbers.get(text);
    if (number === undefined) {
      number = texts.push(text) - 1;
      numbers.set(text, number);
    }
    caller.site = text.split('\n', 1)[0]!.replace(/^at /, '');
    return number;
  }

  function stacksOf(address: number): ObjectStacks | undefined {
    const found = noted.get(address);
    if (found === undefined) return undefined;
    return {
      allocatedAt: texts[found.allocated]!,
      freedAt: found.freed === 0 ? undefined : texts[found.freed]!,
    };
  }

  /** The same error, with what is known of the object. */
  function explained(error: unknown): unknown {
    if (!(error instanceof BadFreeError)) return error;
    const known = stacksOf(error.address);
    if (known === undefined) return error;
    const told = [error.message, `allocated ${indented(known.allocatedAt)}`];
    if (known.freedAt !== undefined) told.push(`freed ${indented(known.freedAt)}`);
    return new BadFreeError(error.address, error.reason, told.join('\n'), error.cache, known);
  }

  function alloc(id: number, gfp: Gfp, cpu: number): PhysAddr {
    const sampled = calls++ % every === 0;
    const allocated = sampled ? note() : 0;
    const address = inner.alloc(id, gfp, cpu);
    if (address === NULL) return NULL;
    if (sampled) noted.set(address, { allocated, freed: 0 });
    else noted.delete(address);
    return address;
  }

  /** Notes the stack of a free before it happens, and takes that back if it does not. */
  function noting(addresses: readonly number[], act: () => void): void {
    const known = addresses.filter((address) => noted.get(address)?.freed === 0);
    const freed = known.length > 0 ? note() : 0;
    try {
      act();
    } catch (error) {
      throw explained(error);
    }
    for (const address of known) noted.get(address)!.freed = freed;
  }

  const allocator: A = {
    ...inner,
    alloc,
    free: (id, address, cpu) => noting([address], () => inner.free(id, address, cpu)),
    freeBulk: (id, addresses, cpu) => noting([...addresses], () => inner.freeBulk(id, addresses, cpu)),
  };
  return { allocator, stacks: { of: stacksOf } };
}

function indented(stack: string): string {
  return stack.replaceAll('\n', '\n    ');
}
