import { type Command, Option } from 'commander';
import { ArgumentError } from '../../base/index.js';
import { layoutReport } from '../../lab/layout/index.js';
import { BOARDS, USUAL_BOARD } from '../../machine/index.js';
import {
  type AllocatorName,
  type Capabilities,
  capabilitiesOf,
  KERNELS,
  type MachineOptions,
  parseSlabFlags,
} from '../../slab/index.js';
import { withExamples } from '../examples.js';
import { EXIT } from '../exit.js';
import { allocatorList, sizeInBytes, wholeNumber, wordList } from '../options.js';
import { layoutScreen, sideBySideScreen } from '../render/layout-screen.js';
import type { OpenSession, Session } from '../session.js';

interface LayoutFlags {
  readonly size: number;
  readonly align: number;
  readonly flags?: number;
  readonly name: string;
  readonly cpus: number;
  readonly ctor?: true;
  readonly useroffset: number;
  readonly usersize: number;
  readonly sheafCapacity?: number;
  readonly debug: string;
  readonly machine: string;
  readonly kernel?: string[];
  readonly allocator?: AllocatorName[];
  readonly slabMaxOrder?: number;
  readonly slubMinOrder?: number;
  readonly slubMaxOrder?: number;
  readonly slubMinObjects?: number;
  readonly merge: boolean;
  readonly nomerge?: true;
  readonly faithful?: true;
  readonly json?: true;
}

export function addLayout(program: Command, open: OpenSession): void {
  const command = program
    .command('layout')
    .description(
      'Says what a kernel makes of one cache: where the free pointer lies, or with SLAB the list of free objects, how many ' +
        'objects a slab has and how much of it is wasted, and which cache that is there already it joins.',
    )
    .requiredOption('--size <bytes>', 'bytes of one object', sizeInBytes('--size'))
    .option(
      '--align <bytes>',
      'alignment of each object; 0 lets the kernel choose',
      sizeInBytes('--align'),
      0,
    )
    .option('--flags <list>', 'SLAB_ flags, such as CACHE_DMA32,HWCACHE_ALIGN', parseSlabFlags)
    .option('--cpus <n>', 'CPUs: more of them make slabs larger', wholeNumber('--cpus'), 4)
    .option('--ctor', 'with a constructor')
    .option('--usersize <bytes>', 'bytes that user space may copy', sizeInBytes('--usersize'), 0)
    .option('--useroffset <bytes>', 'where these bytes begin in the object', sizeInBytes('--useroffset'), 0)
    .option(
      '--sheaf-capacity <n>',
      'objects of a sheaf that the cache asks for, on kernels that have sheaves',
      wholeNumber('--sheaf-capacity'),
    )
    .option('--debug <letters>', 'boot with slub_debug=LETTERS, such as FZPU', '')
    .option('--name <name>', 'name of the cache', 'new_cache')
    .option('--machine <name>', [...BOARDS.keys()].join(', '), USUAL_BOARD)
    .option(
      '--kernel <list>',
      `${[...KERNELS.keys()].join(', ')}; several side by side (default: 6.1)`,
      wordList('--kernel'),
    )
    .option('--allocator <list>', 'slub, slab; both side by side (default: slub)', allocatorList)
    .option('--slab-max-order <n>', 'boot with slab_max_order=N (SLAB)', wholeNumber('--slab-max-order'))
    .option('--slub-min-order <n>', 'boot with slub_min_order=N', wholeNumber('--slub-min-order'))
    .option('--slub-max-order <n>', 'boot with slub_max_order=N', wholeNumber('--slub-max-order'))
    .option('--slub-min-objects <n>', 'boot with slub_min_objects=N', wholeNumber('--slub-min-objects'))
    .option('--no-merge', 'boot with slub_nomerge or slab_nomerge')
    .addOption(new Option('--nomerge', 'the same as --no-merge').hideHelp())
    .option('--faithful', 'accept nonsensical arguments, as the kernel does where it survives them');
  withExamples(command, [
    ['slablab layout --size 192', 'any object of 192 bytes'],
    ['slablab layout --size 1024 --align 1024 --flags CACHE_DMA32', 'an IOMMU table'],
    ['slablab layout --size 1024 --align 1024 --debug FZPU', 'what slub_debug makes of it'],
    ['slablab layout --size 700 --cpus 64', 'on a large machine'],
    ['slablab layout --size 11000 --kernel 6.1,6.12', 'two kernels side by side'],
    ['slablab layout --size 200 --kernel 7.3 --sheaf-capacity 100', 'more objects in a sheaf'],
    ['slablab layout --size 700 --allocator slab', 'with the other allocator'],
    ['slablab layout --size 136 --json', 'all numbers, and each byte'],
  ]);
  command.action((flags: LayoutFlags) => {
    runLayout({ ...command.optsWithGlobals<LayoutFlags>(), ...flags }, open(command));
  });
}

function runLayout(flags: LayoutFlags, session: Session): void {
  const { terminal, typed } = session;
  const kernels = flags.kernel ?? ['6.1'];
  const allocators = flags.allocator ?? ['slub'];
  refuseForeign(flags, allocators);
  const reports = kernels.flatMap((kernel) =>
    allocators.map((allocator) =>
      layoutReport({
        name: flags.name,
        size: flags.size,
        align: flags.align,
        flags: flags.flags ?? 0,
        ctor: flags.ctor === true,
        useroffset: flags.useroffset,
        usersize: flags.usersize,
        ...(flags.sheafCapacity !== undefined && { sheafCapacity: flags.sheafCapacity }),
        machine: {
          machine: flags.machine,
          cpus: flags.cpus,
          kernel,
          allocator,
          slubNomerge: !flags.merge || flags.nomerge === true,
          faithful: flags.faithful === true,
          ...bootParameters(capabilitiesOf(kernel, allocator), flags),
        },
      }),
    ),
  );
  const [report] = reports;
  if (reports.some(({ refused }) => refused !== null)) session.exitCode = EXIT.differs;
  if (flags.json) session.printJson(reports.length === 1 ? report! : { kernels: reports });
  else if (reports.length === 1) terminal.print(layoutScreen(report!, { terminal, typed }));
  else terminal.print(sideBySideScreen(reports, { terminal, typed }));
}

/** Of the boot parameters those that the allocator reads. */
function bootParameters({ debugFlags, orderRange }: Capabilities, flags: LayoutFlags): MachineOptions {
  const { debug, slubMinOrder, slubMaxOrder, slubMinObjects, slabMaxOrder } = flags;
  return {
    ...(debugFlags && { slubDebug: debug }),
    ...(orderRange && slubMinOrder !== undefined && { slubMinOrder }),
    ...(orderRange && slubMaxOrder !== undefined && { slubMaxOrder }),
    ...(orderRange && slubMinObjects !== undefined && { slubMinObjects }),
    ...(!orderRange && slabMaxOrder !== undefined && { slabMaxOrder }),
  };
}

/** A boot parameter that none of the allocators reads would change nothing. */
function refuseForeign(flags: LayoutFlags, allocators: readonly AllocatorName[]): void {
  const { slubMinOrder, slubMaxOrder, slubMinObjects, slabMaxOrder, debug } = flags;
  const given = (options: Readonly<Record<string, unknown>>) =>
    Object.keys(options).filter((option) => options[option] !== undefined && options[option] !== '');
  if (!allocators.includes('slub')) {
    const [option] = given({
      '--debug': debug,
      '--slub-min-order': slubMinOrder,
      '--slub-max-order': slubMaxOrder,
      '--slub-min-objects': slubMinObjects,
    });
    if (option !== undefined)
      throw new ArgumentError(`${option} is for SLUB; SLAB takes --slab-max-order and --no-merge`);
  }
  if (!allocators.includes('slab') && slabMaxOrder !== undefined)
    throw new ArgumentError('--slab-max-order is for SLAB: give --allocator slab with it');
}
