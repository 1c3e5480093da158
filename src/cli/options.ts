/**
 * What the commands' options have in common: how a word becomes a number, and a help that begins with
 * examples.
 */
import type { Command } from 'commander';
import { ArgumentError, lookUp, parseSize } from '../base/index.js';
import { BOARDS, rangesMap } from '../machine/index.js';
import {
  ALLOCATORS,
  type AllocatorName,
  KERNELS,
  kernelNamed,
  Machine,
  type MachineOptions,
} from '../slab/index.js';

/** For an option that counts. The engine knows the limits; what is no number at all is refused here. */
export function wholeNumber(option: string): (text: string) => number {
  return (text) => {
    if (!/^\d+$/.test(text)) throw new ArgumentError(`${option} takes a whole number, not '${text}'`);
    if (!Number.isSafeInteger(Number(text)))
      throw new ArgumentError(`${option} takes a whole number up to ${Number.MAX_SAFE_INTEGER}, not ${text}`);
    return Number(text);
  };
}

/** For an option in bytes: `1024`, `1K`, `0x400`. */
export function sizeInBytes(option: string): (text: string) => number {
  return (text) => {
    try {
      return parseSize(text);
    } catch (error) {
      throw error instanceof ArgumentError ? new ArgumentError(`${option}: ${error.message}`) : error;
    }
  };
}

/** `a,b,c` as words, each once. */
export function wordList(option: string): (text: string) => string[] {
  return (text) => {
    const words = text.split(',').map((word) => word.trim());
    if (words.includes(''))
      throw new ArgumentError(`${option} takes words with commas between them, not '${text}'`);
    return [...new Set(words)];
  };
}

export type Format = 'table' | 'csv' | 'md';

const FORMATS: ReadonlyMap<string, Format> = new Map([
  ['table', 'table'],
  ['csv', 'csv'],
  ['md', 'md'],
]);

/** For `--format`. */
export function format(text: string): Format {
  return lookUp('format', text, FORMATS);
}

/** Which format `--format`, `--csv` and `--json` ask for; undefined for the table, and for JSON. */
export function formatOf(flags: { format?: Format; csv?: true; json?: true }): Format | undefined {
  const shape = flags.csv ? 'csv' : flags.format;
  if (flags.json && shape !== undefined)
    throw new ArgumentError('--json is a format of its own: leave --format and --csv out');
  if (flags.csv && flags.format !== undefined && flags.format !== 'csv')
    throw new ArgumentError(`which format: --csv or --format ${flags.format}?`);
  return shape;
}

/** For `--allocator`. */
export function allocator(text: string): AllocatorName {
  return lookUp('allocator', text.toLowerCase(), ALLOCATORS);
}

/** For an `--allocator` that takes both. */
export function allocatorList(text: string): AllocatorName[] {
  return wordList('--allocator')(text).map(allocator);
}

/** For an option that takes one of some names: a wrong one is refused before a large file is read. */
function nameOf(kind: string, names: ReadonlyMap<string, unknown>): (text: string) => string {
  return (text) => {
    lookUp(kind, text, names);
    return text;
  };
}

/** Of `addMachineOptions`. */
export interface MachineWords {
  readonly machine?: string;
  readonly memory?: number;
  readonly ram?: string;
}

/** What is taken where a word is not given. Without `cpus` and `kernel` it is the trace that says. */
interface MachineDefaults {
  readonly machine: string;
  readonly cpus?: number;
  readonly kernel?: string;
  /** Whose RAM, CPUs and kernel it is; the machine's unless told. */
  readonly about?: string;
}

/** How the commands that make a machine make it, unless told. */
export const USUAL = { cpus: 4, kernel: '6.1' } as const;

/** `--machine`, `--memory`, `--ram`, `--cpus` and `--kernel`, the same for every command. */
export function addMachineOptions(
  command: Command,
  { machine, cpus, kernel, about = 'the machine' }: MachineDefaults,
): Command {
  const boards = [...BOARDS.keys()].join(', ');
  const count = wholeNumber('--cpus');
  const release = (name: string) => kernelNamed(name).name;
  const [cpusHelp, kernels] = [`CPUs of ${about}`, [...KERNELS.keys()].join(', ')];
  command
    .option('--machine <name>', `${boards} (default: ${machine})`, nameOf('machine', BOARDS))
    .option('--memory <size>', `RAM of ${about}, such as 4G`, sizeInBytes('--memory'))
    .option('--ram <ranges>', "RAM where you say, such as 1G-5G,6G-8G, with the machine's zones");
  if (cpus === undefined)
    command.option('--cpus <n>', `${cpusHelp} (default: as many as the trace shows)`, count);
  else command.option('--cpus <n>', cpusHelp, count, cpus);
  if (kernel === undefined)
    return command.option('--kernel <release>', `kernel of ${about}: ${kernels}`, release);
  return command.option('--kernel <release>', kernels, release, kernel);
}

/** Throws ArgumentError for options that make no machine, which is found out before anything is read. */
export function checkMachine(options: MachineOptions): void {
  Machine.create({ ...options, standing: false });
}

/** The board that the options name, or its zones over other RAM. */
export function machineOf(
  { machine, memory, ram }: MachineWords,
  usual: string,
): Pick<MachineOptions, 'machine'> & { memory?: number } {
  const board = machine ?? usual;
  if (ram === undefined) return { machine: board, ...(memory !== undefined && { memory }) };
  if (memory !== undefined)
    throw new ArgumentError('--ram says how much memory there is: --memory cannot be given with it');
  return { machine: rangesMap(ram, board) };
}
