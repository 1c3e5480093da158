/** CPUs that come and go: handles, attaching, and what a dead thread leaves to its heir. */
export { claimCpu, detachCpus, detachSelf, whileInTable, whileOnNode, whileUnkept } from './attach.js';
export {
  adoptMemory,
  attachedBytes,
  bufferBytes,
  isBuffer,
  type MachineHandle,
  type ManagedBuffer,
  machineHandle,
  memoryOf,
} from './handle.js';
