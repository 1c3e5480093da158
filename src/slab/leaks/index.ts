/** Live objects, by who allocated them. */
export {
  type CacheReport,
  eachLive,
  formatMachineReport,
  type LiveGroup,
  type LivePages,
  type MachineReport,
  machineReport,
} from './leaks.js';
export { type Stacks, withStacks } from './stacks.js';
