/** IOMMU page tables under a load. */
export { type GeneratedOptions, generateIommuLoad } from './generated.js';
export { parseQuirks } from './names.js';
export { readIommuLoad, readRecordedLoad } from './recorded.js';
export type {
  FirstLevel,
  IommuBug,
  IommuCrash,
  IommuDomainSummary,
  IommuFailure,
  IommuFreed,
  IommuLoadSummary,
  IommuLookup,
  IommuResult,
  IommuTable,
  IommuWalk,
  SecondLevel,
} from './result.js';
export { type IommuOptions, type OpenIommu, openIommu, runIommu } from './run.js';
export {
  formatIommuOperation,
  type IommuLoad,
  type IommuOperation,
  type IommuStep,
  parseIommuScript,
} from './script.js';
export { iommuWorkload } from './workload.js';
