/**
 * The second-level tables that a load makes the driver allocate and free, as a workload: every strategy can then be compared on it. The
 * driver runs on a machine where memory is never short, so that the events are what was asked for.
 */
import { ArgumentError, GIB } from '../../base/index.js';
import { type Workload, WorkloadBuilder } from '../compare/index.js';
import { IommuRun, refusalOf, TABLE_BYTES } from './run.js';
import type { IommuLoad } from './script.js';

/** A domain has at most 16,384 tables of 1 KiB: this machine always has room for them. */
const AMPLE = { machine: 'x86_64', memory: 4 * GIB, cpus: 1, standing: false };

/** Throws ArgumentError for a load that never needs a table, or whose domain the kernel does not make. */
export function iommuWorkload(load: IommuLoad): Workload {
  const builder = new WorkloadBuilder();
  let drain: number[] | undefined;
  const run = new IommuRun(
    load,
    { machine: AMPLE },
    {
      ample: true,
      onTable(event, id) {
        if (event === 'alloc') builder.alloc(id);
        else if (drain === undefined) builder.free(id);
        else drain.push(id);
      },
      onStep: () => builder.endOperation(),
    },
  );
  if (run.domain === null)
    throw new ArgumentError(`the kernel makes no such domain: ${refusalOf(run.machine)}`);
  run.play();
  const endEmpty = run.tables().filter(({ used }) => used === 0).length;
  drain = [];
  run.free();
  builder.drainInOrder(drain);
  return builder.build(
    {
      title: `second-level tables of ${load.title}`,
      source: `iommu:${load.source}`,
      objectSize: TABLE_BYTES,
      objectAlign: TABLE_BYTES,
    },
    { endEmpty },
  );
}
