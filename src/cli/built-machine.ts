/** Machines that `info` and `sysfs` look at: made from options, and brought into a state by a script. */
import { type Command, Option } from 'commander';
import { ArgumentError } from '../base/index.js';
import { cachesCreated, ledgerRoom, parseScript, runScript } from '../lab/index.js';
import { inputName, readInput } from '../node/index.js';
import { type AllocatorName, capabilitiesOf, Machine, type MachineOptions } from '../slab/index.js';
import { addMachineOptions, allocator, type MachineWords, machineOf, USUAL } from './options.js';

/** The one that every kernel has, which goes without saying. */
const USUAL_ALLOCATOR: AllocatorName = 'slub';

export interface MachineFlags extends MachineWords {
  readonly kernel: string;
  readonly allocator: AllocatorName;
  readonly cpus: number;
  readonly debug: string;
  readonly statistics?: true;
  readonly merge: boolean;
  readonly nomerge?: true;
  readonly standing: boolean;
}

export function addBootOptions(command: Command, defaultMachine: string): Command {
  return addMachineOptions(command, { machine: defaultMachine, ...USUAL })
    .option('--allocator <name>', 'slub, or slab, the other one that 6.1 has', allocator, USUAL_ALLOCATOR)
    .option('--debug <letters>', 'boot with slub_debug=LETTERS, such as FZPU', '')
    .option('--statistics', 'count events, as CONFIG_SLUB_STATS does')
    .option('--no-merge', 'boot with slub_nomerge or slab_nomerge')
    .addOption(new Option('--nomerge', 'the same as --no-merge').hideHelp())
    .option('--no-standing', 'without the caches that a booted kernel has');
}

/** `--nomerge` is the kernel's spelling, `--no-merge` that of options. */
export function merges({ merge, nomerge }: Pick<MachineFlags, 'merge' | 'nomerge'>): boolean {
  return merge && nomerge !== true;
}

/** Throws ArgumentError for what the machine's allocator does not have. */
export function machineOptions(flags: MachineFlags, defaultMachine: string): MachineOptions {
  const { debugFlags, statistics } = capabilitiesOf(flags.kernel, flags.allocator);
  if (!debugFlags && flags.debug !== '')
    throw new ArgumentError(
      '--debug is slub_debug: a SLAB that was not built for debugging has nothing like it',
    );
  if (!statistics && flags.statistics)
    throw new ArgumentError('--statistics is CONFIG_SLUB_STATS: SLAB does not count these events');
  return {
    ...machineOf(flags, defaultMachine),
    kernel: flags.kernel,
    allocator: flags.allocator,
    cpus: flags.cpus,
    slubDebug: flags.debug,
    slubNomerge: !merges(flags),
    standing: flags.standing,
    statistics: flags.statistics === true,
  };
}

/** Caches that a machine has room for beside those of a script. */
const CACHES_LEAST = 512;

/** What a script builds; a machine that has just booted without one. All of its memory may become slabs. */
export async function scriptedMachine(script: string | undefined, options: MachineOptions): Promise<Machine> {
  // Options that make no machine are found before a file is read.
  const fresh = Machine.create(options);
  if (script === undefined) return fresh;
  const parsed = parseScript(await readInput(script), inputName(script));
  const all = Number.POSITIVE_INFINITY;
  const room = ledgerRoom(options, fresh.kernel.pageSize, { slabs: all, objects: all });
  const caches = CACHES_LEAST + cachesCreated(parsed);
  const machine = Machine.create({ ...options, ledger: { ...room, caches } });
  runScript(machine, parsed);
  return machine;
}

/** `mt8173 · Linux 6.1 · 4 CPUs · slub_debug=FZPU` in parts. */
export function machineParts(flags: MachineFlags, defaultMachine: string): string[] {
  return [
    flags.ram === undefined ? (flags.machine ?? defaultMachine) : `RAM at ${flags.ram}`,
    flags.allocator === USUAL_ALLOCATOR
      ? `Linux ${flags.kernel}`
      : `Linux ${flags.kernel}, ${flags.allocator.toUpperCase()}`,
    flags.cpus === 1 ? '1 CPU' : `${flags.cpus} CPUs`,
    ...(flags.debug === '' ? [] : [`slub_debug=${flags.debug}`]),
    ...(merges(flags) ? [] : [`${flags.allocator}_nomerge`]),
  ];
}
