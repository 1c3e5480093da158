/** `slablab iommu`: a script of mappings through the driver for ARMv7 short descriptors, on a machine and a table strategy. */

import type { Command } from 'commander';
import { ArgumentError, formatCount, lookUp, parseSize } from '../../base/index.js';
import {
  formatIommuOperation,
  type IommuLoad,
  type IommuOptions,
  parseQuirks,
  runIommu,
  STRATEGIES,
} from '../../lab/index.js';
import { DRIVER_BOARD } from '../../machine/index.js';
import { IOMMU_LOADS, loadIommu } from '../../node/index.js';
import { withExamples, withExplanation } from '../examples.js';
import { EXIT } from '../exit.js';
import {
  addMachineOptions,
  checkMachine,
  type MachineWords,
  machineOf,
  USUAL,
  wholeNumber,
  wordList,
} from '../options.js';
import { iommuScreen } from '../render/iommu-screen.js';
import type { OpenSession, Session } from '../session.js';

interface IommuFlags extends MachineWords {
  readonly seed?: number;
  readonly ops?: number;
  readonly cpus: number;
  readonly kernel: string;
  readonly tables?: string;
  readonly withoutDma32?: true;
  readonly ias?: number;
  readonly oas?: number;
  readonly quirks?: string[];
  readonly walk?: number[];
  readonly faults: 'kernel' | 'fixed';
  readonly era: 'v6' | 'current';
  readonly freeEmpty?: true;
  readonly strict?: true;
  readonly script?: true;
  readonly wide?: true;
  readonly json?: true;
}

const FAULTS: ReadonlyMap<string, 'kernel' | 'fixed'> = new Map([
  ['kernel', 'kernel'],
  ['fixed', 'fixed'],
]);

const ERAS: ReadonlyMap<string, 'v6' | 'current'> = new Map([
  ['current', 'current'],
  ['v6', 'v6'],
]);

/** The strategy that has no DMA flag: what `--without-dma32` names. */
const WITHOUT_DMA32 = 'slub';

const SCRIPT_HELP = `
A script has an operation a line; # begins a comment:
  map IOVA PADDR SIZE [chunk=N stride=N] [prot=A|B] [gfp=A|B]
  map IOVA PADDR pgsize=4K|64K|1M|16M [count=N] [prot=A|B] [gfp=A|B]
  unmap IOVA SIZE          unmap IOVA pgsize=N [count=N] [queued]
  phys IOVA                exhaust          release

prot is of READ, WRITE, CACHE, NOEXEC, MMIO, PRIV; READ|WRITE unless told. A
SIZE goes through the IOMMU core, which cuts it into pieces; pgsize= is a call
of the driver itself. What the kernel refuses is reported and the run goes on.
`;

export function addIommu(program: Command, open: OpenSession): void {
  const command = program
    .command('iommu')
    .description(
      'Runs a script of maps and unmaps through the driver for ARMv7 short descriptors, bit for bit: its tables, ' +
        'their memory, what the kernel refuses and why, and how an address is walked.',
    )
    .argument('[load]', `${IOMMU_LOADS.join(', ')}, a script, or - for standard input`, 'generated')
    .option('--seed <n>', 'generated: where its random numbers begin (default: 1)', wholeNumber('--seed'))
    .option('--ops <n>', 'generated: how many operations (default: 1000)', wholeNumber('--ops'));
  addMachineOptions(command, { machine: DRIVER_BOARD, ...USUAL })
    .option(
      '--tables <strategy>',
      `where second-level tables come from: ${[...STRATEGIES.keys()].join(', ')} (default: the driver's own cache)`,
    )
    .option('--without-dma32', 'the bug: tables from a cache without SLAB_CACHE_DMA32')
    .option('--ias <bits>', 'bits of an input address (default: 32)', wholeNumber('--ias'))
    .option('--oas <bits>', 'bits of an output address (default: 32)', wholeNumber('--oas'))
    .option('--quirks <list>', 'any of NS, NO_PERMS, MTK_EXT, TTBR_EXT', wordList('--quirks'))
    .option('--walk <address>', 'show how the hardware reads this address; can be repeated', eachAddress)
    .option(
      '--faults <whose>',
      "kernel, or fixed: with the driver's bugs mended",
      (text) => lookUp('kind of faults', text, FAULTS),
      'kernel',
    )
    .option(
      '--era <era>',
      'current, or v6: table allocations not checked',
      (text) => lookUp('era', text, ERAS),
      'current',
    )
    .option('--free-empty', 'also with tables given back when they are empty, side by side')
    .option('--strict', 'exit code 1 if the kernel refuses an operation')
    .option('--script', 'print the load as a script, and run nothing')
    .option('--wide', 'every entry, every table, every failure');
  withExamples(command, [
    ['slablab iommu', "a phone's display and camera"],
    ['slablab iommu load.iommu --walk 0x10000000', 'a script, and an address read'],
    ["echo 'map 0x1000 0x40000000 64K' | slablab iommu -", 'a script of one line'],
    ['slablab iommu --without-dma32', 'the bug: tables above 4 GiB'],
    ['slablab iommu recorded --free-empty', 'what emptied tables cost'],
    ['slablab iommu --quirks NO_PERMS,MTK_EXT --oas 34', 'MediaTek: 34 bits of output'],
    ['slablab iommu generated --ops 50 --script', 'a script to begin with'],
  ]);
  withExplanation(command, SCRIPT_HELP);
  command.action(async (load: string, flags: IommuFlags) => {
    await runCommand(load, { ...command.optsWithGlobals<IommuFlags>(), ...flags }, open(command));
  });
}

/** Collects the addresses of `--walk`. */
function eachAddress(text: string, before: readonly number[] = []): number[] {
  try {
    return [...before, parseSize(text)];
  } catch {
    throw new ArgumentError(`--walk: '${text}' is no address: expected one such as 0x10000000`);
  }
}

async function runCommand(name: string, flags: IommuFlags, session: Session): Promise<void> {
  const { terminal, typed } = session;
  const options = optionsOf(flags);
  checkMachine(options.machine ?? {});
  const load = await loadIommu(name, {
    ...(flags.seed !== undefined && { seed: flags.seed }),
    ...(flags.ops !== undefined && { ops: flags.ops }),
  });
  if (flags.script) return terminal.print(scriptLines(load));
  const done = terminal.progress(`mapping and unmapping ${formatCount(load.steps.length)} times …`);
  const result = runIommu(load, options);
  done();
  const refused = result.domain.refused !== null;
  const failed = flags.strict === true && (result.load.failed > 0 || result.crash !== null);
  if (refused || failed) session.exitCode = EXIT.differs;
  if (flags.json) return session.printJson(result);
  terminal.print(
    iommuScreen(result, { terminal, wide: flags.wide === true, typed, compare: compareCommand(name, flags) }),
  );
}

function optionsOf(flags: IommuFlags): IommuOptions {
  const { ias, oas, quirks, faults, era } = flags;
  if (flags.withoutDma32 && flags.tables !== undefined)
    throw new ArgumentError(
      `--without-dma32 says where tables come from: --tables ${flags.tables} cannot be given with it`,
    );
  if (flags.script && flags.json)
    throw new ArgumentError('--script is a format of its own: leave --json out');
  const tables = flags.withoutDma32 ? WITHOUT_DMA32 : flags.tables;
  if (tables !== undefined) lookUp('strategy', tables, STRATEGIES);
  return {
    machine: { ...machineOf(flags, DRIVER_BOARD), cpus: flags.cpus, kernel: flags.kernel },
    config: {
      ...(ias !== undefined && { ias }),
      ...(oas !== undefined && { oas }),
      ...(quirks && { quirks: parseQuirks(quirks) }),
    },
    ...(tables !== undefined && { tables }),
    faults,
    era,
    freeEmpty: flags.freeEmpty === true,
    ...(flags.walk && { walks: flags.walk }),
  };
}

/** How the strategies are compared on the same load; undefined for standard input, which is gone. */
function compareCommand(name: string, { seed, ops }: IommuFlags): string | undefined {
  if (name === '-') return undefined;
  const seeded = seed === undefined ? '' : ` --seed ${seed}`;
  // compare has no --ops.
  if (ops !== undefined)
    return `slablab iommu generated${seeded} --ops ${ops} --script | slablab compare iommu:-`;
  return `slablab compare --workload iommu:${name}${seeded}`;
}

/** The load with its name on top. */
function scriptLines({ title, source, steps }: IommuLoad): string[] {
  return [`# ${title}: ${source}`, ...steps.map(formatIommuOperation)];
}
