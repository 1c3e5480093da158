// An allocator inside a WebAssembly memory, called from JavaScript: dlmalloc of wasi-libc, TLSF of AssemblyScript.
//
// The memory is as large as the workload needs from the start, so that nothing is timed that grows it.
import { accessTo, touched } from './access.mjs';

const PAGE = 65536;
const NAMES = { dlmalloc: 'malloc', tlsf: 'alloc' };

export function open({ bytes }, { kind, module }) {
  const pages = Math.ceil(bytes / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536 });
  // A module that grew its memory after all would leave this view without bytes: reads would then be wrong, and be counted.
  const view = touched(memory.buffer);
  const abort = () => {
    throw new Error(`${kind}: abort`);
  };
  const { exports } = new WebAssembly.Instance(module, { env: { memory, abort } });
  exports._initialize?.();
  return {
    alloc: exports[NAMES[kind]],
    free: exports.free,
    ...accessTo(view),
    align: 16,
    first: 1,
    end: pages * PAGE,
  };
}

/** Workers have a heap each: they cannot share one. */
export function join(_ticket, wasm, { bytes }) {
  return open({ bytes }, wasm);
}
