/**
 * `slablab sysfs DIR`: /sys/kernel/slab as a folder, with the kernel's texts, modes and links.
 *
 * Nothing is written outside DIR: a cache's name cannot lead out of it, and what is in the way of a file or a directory is taken away
 * before it is written, never followed.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ArgumentError, InputError } from '../base/index.js';
import { NoPermissionError } from '../node/index.js';
import { type SysfsTree, sysfsMode, sysfsTree } from '../text/index.js';
import {
  addBootOptions,
  type MachineFlags,
  machineOptions,
  machineParts,
  merges,
  scriptedMachine,
} from './built-machine.js';
import { withExamples } from './options.js';
import { counted } from './render/replay-findings.js';
import { wrap, wrapCommand, wrapParts } from './render/text.js';
import type { OpenSession, Session } from './session.js';

interface SysfsFlags extends MachineFlags {
  readonly cacheDma32: boolean;
  readonly force?: true;
  readonly json?: true;
}

const MACHINE = 'x86_64';
const DMA32_NOTE =
  'cache_dma32 came with the series that slablab grew from and was never merged: no released kernel has it. ' +
  '--no-cache-dma32 leaves it out.';

export function addSysfs(program: Command, open: OpenSession): void {
  const command = program
    .command('sysfs')
    .summary('/sys/kernel/slab of a machine, written to a folder')
    .description(
      'Builds a machine from a script, or one that has just booted, and writes its /sys/kernel/slab to a ' +
        "folder: a directory a cache with the kernel's texts and modes, and a link for each name that shares one.",
    )
    .argument('<dir>', 'the folder; it is made if it is not there')
    .argument('[script]', "what happens on the machine, - for standard input (see 'slablab info --help')")
    .option('--force', 'write into a folder that is not empty; what else is in it stays')
    .option('--no-cache-dma32', 'without cache_dma32, as in every released kernel');
  addBootOptions(command, MACHINE);
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
  { terminal }: Session,
): Promise<void> {
  if (folder === '') throw new ArgumentError('the folder to write is missing: its name is empty');
  const machine = await scriptedMachine(script, machineOptions(flags, MACHINE));
  const tree = sysfsTree(machine, { cacheDma32: flags.cacheDma32 });
  writeTree(folder, tree, flags.force === true);
  const directories = tree.directories.size;
  const files = [...tree.directories.values()].reduce((sum, each) => sum + each.size, 0);
  const links = tree.links.size;
  if (flags.json) {
    const { kernel, cpus } = machine;
    const about = { kernel: kernel.name, cpus, slubDebug: flags.debug, slubNomerge: !merges(flags) };
    terminal.printJson({
      version: 1,
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
    ...wrapParts(machineParts(flags, MACHINE), width),
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

/** Throws InputError where the folder is not what it should be, NoPermissionError where the system refuses. */
function writeTree(folder: string, tree: SysfsTree, force: boolean): void {
  for (const name of [...tree.directories.keys(), ...tree.links.keys()]) {
    if (['', '.', '..'].includes(name) || name.includes('\0'))
      throw new InputError(
        folder,
        0,
        `expected the name of a cache to be a file's name, but one is '${name}'`,
      );
  }
  doing(folder, () => mkdirSync(folder, { recursive: true }));
  const entries = doing(folder, () => readdirSync(folder));
  if (entries.length > 0 && !force)
    throw new InputError(
      folder,
      0,
      'expected an empty folder, but something is in it; --force writes into it anyway',
    );
  for (const [name, files] of tree.directories) {
    const directory = join(folder, name);
    doing(directory, () => {
      if (!kindOf(directory)?.isDirectory()) rmSync(directory, { force: true });
      mkdirSync(directory, { recursive: true });
    });
    for (const [file, text] of files) {
      const path = join(directory, file);
      doing(path, () => {
        rmSync(path, { force: true });
        writeFileSync(path, text, { flag: 'wx' });
        // Not by the options: the process's mask would change it.
        chmodSync(path, sysfsMode(file));
      });
    }
  }
  for (const [name, target] of tree.links) {
    const link = join(folder, name);
    if (kindOf(link)?.isDirectory())
      throw new InputError(link, 0, 'expected nothing or a link, but it is a directory');
    doing(link, () => {
      rmSync(link, { force: true });
      symlinkSync(target, link);
    });
  }
}

/** What a path is itself; undefined for nothing. */
function kindOf(path: string): ReturnType<typeof lstatSync> {
  return lstatSync(path, { throwIfNoEntry: false });
}

function doing<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    if (code === 'EACCES' || code === 'EPERM') throw new NoPermissionError(path, 'write it');
    if (code === 'EEXIST' || code === 'ENOTDIR')
      throw new InputError(path, 0, 'expected a folder, but it, or a part of the path, is a file');
    throw new InputError(path, 0, `cannot be written: ${message}`);
  }
}
