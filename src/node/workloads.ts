import { existsSync } from 'node:fs';
import { ArgumentError, InputError, nearestNames, UnknownNameError } from '../base/index.js';
import { iommuWorkload, readV7sWorkload, steadyWorkload, type Workload } from '../lab/index.js';
import { inputName, isWord, readInput } from './files.js';
import { IOMMU_LOADS, loadIommu } from './iommu-loads.js';
import { shippedWorkloadPath } from './shipped.js';

/** What a workload's name leaves open. */
export interface WorkloadOptions {
  /** Of `steady`: how many tables are live, 30 unless told. */
  readonly live?: number;
  /** Of `steady` and `iommu:generated`: where random numbers begin, 1 unless told. */
  readonly seed?: number;
}

/** The words that name a workload; anything else is a file. */
export const WORKLOADS: readonly string[] = ['recorded', 'steady'];
/** Before the name or file of an IOMMU's load: the tables that it needs are the workload. */
const OF_LOAD = 'iommu:';

/**
 * The workload of a name, of a file, of standard input (`-`), or of an IOMMU's load (`iommu:generated`); the
 * recorded one unless told. Throws UnknownNameError for a word that names neither a workload nor a file,
 * InputError for a file that is no workload.
 */
export async function loadWorkload(
  nameOrPath = 'recorded',
  options: WorkloadOptions = {},
): Promise<Workload> {
  if (nameOrPath === 'steady') return steadyWorkload(options.live ?? 30, options.seed ?? 1);
  if (nameOrPath.startsWith(OF_LOAD)) return workloadOfLoad(nameOrPath.slice(OF_LOAD.length), options);
  for (const option of ['live', 'seed'] as const) {
    if (options[option] !== undefined) {
      throw new ArgumentError(`--${option} belongs to the workload 'steady', not to '${nameOrPath}'`);
    }
  }
  if (nameOrPath === 'recorded') {
    return readV7sWorkload(await readInput(shippedWorkloadPath()), 'truth/v7s-workload.json.gz');
  }
  if (nameOrPath !== '-' && isWord(nameOrPath) && !existsSync(nameOrPath)) {
    throw new UnknownNameError(
      'workload or file',
      nameOrPath,
      WORKLOADS,
      nearestNames(nameOrPath, WORKLOADS),
    );
  }
  const file = inputName(nameOrPath);
  const text = await readInput(nameOrPath);
  return namedErrors(file, () => readV7sWorkload(text, file));
}

/** The tables that an IOMMU's driver allocates and frees under a load. */
async function workloadOfLoad(load: string, { live, seed }: WorkloadOptions): Promise<Workload> {
  if (live !== undefined) throw new ArgumentError("--live belongs to the workload 'steady'");
  if (load === '') throw new ArgumentError(`which load? iommu:${IOMMU_LOADS.join(', iommu:')} or iommu:FILE`);
  const operations = await loadIommu(load, { ...(seed !== undefined && { seed }) });
  return namedErrors(inputName(load), () => iommuWorkload(operations));
}

/** Turns a list of events that makes no workload, such as an empty one, into an error that names the file. */
function namedErrors<T>(file: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw error instanceof ArgumentError ? new InputError(file, 0, error.message) : error;
  }
}
