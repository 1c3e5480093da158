/**
 * # The commands, before one of them is loaded
 *
 * What a command needs takes longer to load than most of them run, so help knows of each only what stands here, and the one that was asked
 * for is loaded when it is.
 */
import type { Command } from 'commander';
import type { OpenSession } from './session.js';

/** Adds a command with its options to the program. */
type AddCommand = (program: Command, open: OpenSession) => void;

interface CommandEntry {
  readonly name: string;
  /** What follows its name, as help shows it. */
  readonly words: string;
  readonly summary: string;
  readonly load: () => Promise<AddCommand>;
}

/** In the order of help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'compare',
    words: '[options] [workload]',
    summary: 'where should these objects come from, and what does each choice cost?',
    load: async () => (await import('./commands/compare.js')).addCompare,
  },
  {
    name: 'layout',
    words: '[options]',
    summary: 'what would kmem_cache_create make of a size, an alignment and flags?',
    load: async () => (await import('./commands/layout.js')).addLayout,
  },
  {
    name: 'iommu',
    words: '[options] [load]',
    summary: "an IOMMU's page tables: what a load makes of them, and where they lie",
    load: async () => (await import('./commands/iommu.js')).addIommu,
  },
  {
    name: 'info',
    words: '[options] [script]',
    summary: "the slabinfo tool's reports on a machine",
    load: async () => (await import('./commands/info.js')).addInfo,
  },
  {
    name: 'sysfs',
    words: '[options] <dir> [script]',
    summary: '/sys/kernel/slab of a machine, written to a folder',
    load: async () => (await import('./commands/sysfs.js')).addSysfs,
  },
  {
    name: 'replay',
    words: '[options] <trace>',
    summary: "a real kernel's allocations, under another configuration",
    load: async () => (await import('./commands/replay.js')).addReplay,
  },
  {
    name: 'sweep',
    words: '[options] <trace>',
    summary: 'a recorded trace under a matrix of what-ifs, on all cores',
    load: async () => (await import('./commands/sweep.js')).addSweep,
  },
  {
    name: 'convert',
    words: '[options] <trace>',
    summary: 'a recorded trace as a small file that opens at once',
    load: async () => (await import('./commands/convert.js')).addConvert,
  },
  {
    name: 'open',
    words: '[options] [file]',
    summary: 'a trace in the page: time, memory, caches, what if',
    load: async () => (await import('./commands/open.js')).addOpen,
  },
  {
    name: 'verify',
    words: '[options] [file...]',
    summary: 'is the engine right? held against recordings of real kernels',
    load: async () => (await import('./commands/verify.js')).addVerify,
  },
];

/** Adds all commands to the program: the one that is named with its options, of the others what help shows. */
export async function addCommands(
  program: Command,
  argv: readonly string[],
  open: OpenSession,
): Promise<void> {
  const asked = argv.find((word) => COMMANDS.some(({ name }) => name === word));
  for (const { name, summary, load } of COMMANDS) {
    if (name === asked) (await load())(program, open);
    else program.command(name);
    program.commands.at(-1)!.summary(summary);
  }
}

/** `compare [options] [workload]` */
export function termOf(command: Command): string {
  const words = COMMANDS.find(({ name }) => name === command.name())?.words ?? '[command]';
  return `${command.name()} ${words}`;
}
