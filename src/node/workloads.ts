import { existsSync } from 'node:fs';
import { ArgumentError, InputError, nearestNames, UnknownNameError } from '../base/index.js';
import { readV7sWorkload, steadyWorkload, type Workload } from '../lab/index.js';
import { inputName, readInput } from './files.js';
import { shippedWorkloadPath } from './shipped.js';

export interface WorkloadOptions {
  /** Of `steady`: how many tables are live, 30 unless told. */
  readonly live?: number;
  /** Of `steady`: where its random numbers begin, 1 unless told. */
  readonly seed?: number;
}

/** The words that name a workload; anything else is a file. */
export const WORKLOADS: readonly string[] = ['recorded', 'steady'];

/**
 * The workload of a name, of a file, or of standard input (`-`); the recorded one unless told. Throws
 * UnknownNameError for a word that names neither a workload nor a file, InputError for a file that is no
 * workload.
 */
export async function loadWorkload(
  nameOrPath = 'recorded',
  options: WorkloadOptions = {},
): Promise<Workload> {
  if (nameOrPath === 'steady') return steadyWorkload(options.live ?? 30, options.seed ?? 1);
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
  try {
    return readV7sWorkload(await readInput(nameOrPath), file);
  } catch (error) {
    // A list of events that makes no workload, such as an empty one.
    throw error instanceof ArgumentError ? new InputError(file, 0, error.message) : error;
  }
}

/** Nobody who means a file writes it without a slash and a dot, unless it is there. */
function isWord(text: string): boolean {
  return !/[/\\.]/.test(text);
}
