/** CPUs that come and go: handles, attaching, and what a dead thread leaves to its heir. */
export {
  checkEnded,
  claimCpu,
  detachCpus,
  detachSelf,
  reserveCpu,
  whileInTable,
  whileOnNode,
  whileUnkept,
} from './attach.js';
export {
  type AttachedMemory,
  adoptMemory,
  attachedBytes,
  bufferBytes,
  isBuffer,
  type MachineHandle,
  type ManagedBuffer,
  machineHandle,
  memoryOf,
} from './handle.js';
