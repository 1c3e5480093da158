/** A machine on which a workload's tables come from a kmem cache in ZONE_DMA32, at the moment when most of them are live. */
import { ArgumentError, NULL, type PhysAddr } from '../../base/index.js';
import { GFP } from '../../machine/index.js';
import { Machine, type MachineOptions } from '../../slab/index.js';
import { placeOnCpus } from './placement.js';
import { STRATEGIES } from './strategies.js';
import type { Workload } from './workload.js';

/**
 * `onBooted` is given the machine when all its caches are there, before the workload is played, which takes seconds. Throws ArgumentError
 * for a machine that is too small for it.
 */
export function machineAtPeak(
  workload: Workload,
  options: MachineOptions,
  onBooted: (machine: Machine) => void = () => {},
): Machine {
  const machine = Machine.create(options);
  const { alloc, free } = STRATEGIES.get('slub-dma32')!.open(machine, {
    size: workload.objectSize,
    align: workload.objectAlign,
    gfp: GFP.ATOMIC,
  });
  onBooted(machine);
  const { events, peakLive } = workload;
  const cpus = placeOnCpus(workload, machine.cpus);
  const addresses = new Float64Array(workload.slots);
  for (let i = 0, live = 0; live < peakLive; i++) {
    const event = events[i]!;
    const slot = Math.abs(event) - 1;
    if (event < 0) {
      free(addresses[slot]! as PhysAddr, cpus[i]!);
      live--;
      continue;
    }
    addresses[slot] = alloc(cpus[i]!);
    live++;
    if (addresses[slot] === NULL)
      throw new ArgumentError(`this machine has no memory for the workload: ${live - 1} tables are live`);
  }
  return machine;
}
