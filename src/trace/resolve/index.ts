/** From events to objects: which allocation a free ends, and which cache it came from. */
export { cacheOfSite } from './class-sites.js';
export { functionName } from './class-table.js';
export {
  type ClassCache,
  type HowNamed,
  type KnownCache,
  nameClasses,
} from './classes.js';
export { createPointerTable, type PointerTable } from './pointer-table.js';
export { createResolver, type Resolver, type ResolverOptions, type TraceHead } from './resolve.js';
