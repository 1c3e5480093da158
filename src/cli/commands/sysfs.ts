/** `slablab sysfs DIR`: /sys/kernel/slab as a folder, with the kernel's texts, modes and links. */

import type { Command } from 'commander';
import { counted } from '../../base/index.js';
import { USUAL_BOARD } from '../../machine/index.js';
import { type FolderTree, prepareFolder } from '../../node/index.js';
import { type SysfsTree, sysfsMode, sysfsTree } from '../../text/index.js';
import {
  addBootOptions,
  type MachineFlags,
  machineOptions,
  machineParts,
  merges,
  scriptedMachine,
} from '../built-machine.js';
import { withExamples } from '../examples.js';
import { wrap, wrapCommand, wrapParts } from '../render/text.js';
import type { OpenSession, Session } from '../session.js';

interface SysfsFlags extends MachineFlags {
  readonly cacheDma32: boolean;
  readonly force?: true;
  readonly json?: true;
}

const DMA32_NOTE =
  'cache_dma32 came with the series that slablab grew from and was never merged: no released kernel has it. ' +
  '--no-cache-dma32 leaves it out.';

export function addSysfs(program: Command, open: OpenSession): void {
  const command = program
    .command('sysfs')
    .description(
      'Builds a machine from a script, or one that has just booted, and writes its /sys/kernel/slab to a ' +
        "folder: a directory a cache with the kernel's texts and modes, and a link for each name that shares one.",
    )
    .argument('<dir>', 'the folder; it is made if it is not there')
    .argument('[script]', "what happens on the machine, - for standard input (see 'slablab info --help')")
    .option('--force', 'write into a folder that is not empty; what else is in it stays')
    .option('--no-cache-dma32', 'without cache_dma32, as in every released kernel');
  addBootOptions(command, USUAL_BOARD);
  withExamples(command, [
    ['slablab sysfs slab', 'of a machine that has just booted'],
    ['slablab sysfs slab tables.slab', 'after what a script does'],
    ['slablab sysfs slab --kernel 6.12', 'of another kernel'],
    ['grep . slab/:A-0000192/*', 'a look at it'],
  ]);
  command.action(async (folder: string, script: string | undefined, flags: SysfsFlags) => {
    await runSysfs(folder, script, { ...command.optsWithGlobals<SysfsFlags>(), ...flags }, open(command));
  });
}

async function runSysfs(
  folder: string,
  script: string | undefined,
  flags: SysfsFlags,
  session: Session,
): Promise<void> {
  const { terminal } = session;
  const options = machineOptions(flags, USUAL_BOARD);
  const output = prepareFolder(folder, { inputs: [script], force: flags.force === true });
  const machine = await scriptedMachine(script, options);
  const tree = sysfsTree(machine, { cacheDma32: flags.cacheDma32 });
  await output.save(withModes(tree));
  const directories = tree.directories.size;
  const files = [...tree.directories.values()].reduce((sum, each) => sum + each.size, 0);
  const links = tree.links.size;
  if (flags.json) {
    const { kernel, cpus } = machine;
    const about = { kernel: kernel.name, cpus, slubDebug: flags.debug, slubNomerge: !merges(flags) };
    session.printJson({
      folder,
      ...about,
      directories,
      files,
      links,
      cacheDma32: flags.cacheDma32,
    });
    return;
  }
  const width = terminal.textWidth;
  const counts = [counted(directories, 'cache'), counted(files, 'file'), counted(links, 'link')];
  terminal.print([
    ...wrapParts([`${folder}: ${counts[0]}`, ...counts.slice(1)], width),
    ...wrapParts(machineParts(flags, USUAL_BOARD), width),
    ...(flags.cacheDma32 ? ['', ...wrap(DMA32_NOTE, width)] : []),
    '',
    'A look at a cache:',
    ...wrapCommand(`grep . ${folder}/${largestOf(tree)}/*`, width),
  ]);
}

/** The directory of the cache with the most slabs, the first of them. */
function largestOf({ directories }: SysfsTree): string {
  const slabs = (files: ReadonlyMap<string, string>) => Number(files.get('slabs'));
  const [largest] = [...directories].sort(([, a], [, b]) => slabs(b) - slabs(a));
  return largest === undefined ? '*' : largest[0];
}

function withModes({ directories, links }: SysfsTree): FolderTree {
  return {
    links,
    directories: new Map(
      [...directories].map(([directory, files]) => [
        directory,
        new Map([...files].map(([file, text]) => [file, { text, mode: sysfsMode(file) }])),
      ]),
    ),
  };
}
