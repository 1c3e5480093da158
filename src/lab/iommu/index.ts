/** IOMMU page tables under a load. */
export { type GeneratedOptions, generateIommuLoad } from './generated.js';
export { errnoName, parseQuirks } from './names.js';
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
  DEFAULT_PROT,
  formatIommuOperation,
  formatProt,
  type IommuLoad,
  type IommuOperation,
  type IommuStep,
  parseIommuScript,
  parseProt,
} from './script.js';
export { iommuWorkload } from './workload.js';
