import { existsSync } from 'node:fs';
import { ArgumentError, nearestNames, UnknownNameError } from '../base/index.js';
import { generateIommuLoad, type IommuLoad, readIommuLoad, readRecordedLoad } from '../lab/index.js';
import { inputName, isWord, readInput } from './files.js';
import { shippedWorkloadPath } from './shipped.js';

/** What a load's name leaves open. */
export interface IommuLoadOptions {
  /** Of `generated`: where its random numbers begin, 1 unless told. */
  readonly seed?: number;
  /** Of `generated`: how many operations, 1000 unless told. */
  readonly ops?: number;
}

/** The words that name a load; anything else is a file. */
export const IOMMU_LOADS: readonly string[] = ['generated', 'recorded'];

/**
 * The load of a name, of a file, or of standard input (`-`): a script, or a recorded workload where the text is JSON. Throws
 * UnknownNameError for a word that names neither a load nor a file, InputError for a text that is no load.
 */
export async function loadIommu(nameOrPath: string, options: IommuLoadOptions = {}): Promise<IommuLoad> {
  if (nameOrPath === 'generated') return generateIommuLoad(options);
  for (const option of ['seed', 'ops'] as const) {
    if (options[option] !== undefined)
      throw new ArgumentError(`--${option} belongs to the load 'generated', not to '${nameOrPath}'`);
  }
  if (nameOrPath === 'recorded')
    return readRecordedLoad(await readInput(shippedWorkloadPath()), 'truth/v7s-workload.json.gz');
  if (nameOrPath !== '-' && isWord(nameOrPath) && !existsSync(nameOrPath))
    throw new UnknownNameError(
      'load or file',
      nameOrPath,
      IOMMU_LOADS,
      nearestNames(nameOrPath, IOMMU_LOADS),
    );
  return readIommuLoad(await readInput(nameOrPath), inputName(nameOrPath));
}
