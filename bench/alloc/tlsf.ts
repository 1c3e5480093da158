// AssemblyScript, not TypeScript: its own allocator, TLSF, under names of ours. Compiled by build.mjs.
export function alloc(size: usize): usize {
  return heap.alloc(size);
}

export function free(address: usize): void {
  heap.free(address);
}
