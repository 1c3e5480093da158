/**
 * What the commands' options have in common: how a word becomes a number, and a help that begins with
 * examples.
 */
import type { Command } from 'commander';
import { ArgumentError, lookUp, parseSize } from '../base/index.js';
import { rangesMap } from '../machine/index.js';
import type { AllocatorName, MachineOptions } from '../slab/index.js';

/** For an option that counts. The engine knows the limits; what is no number at all is refused here. */
export function wholeNumber(option: string): (text: string) => number {
  return (text) => {
    if (!/^\d+$/.test(text)) throw new ArgumentError(`${option} takes a whole number, not '${text}'`);
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

const ALLOCATORS: ReadonlyMap<string, AllocatorName> = new Map([
  ['slub', 'slub'],
  ['slab', 'slab'],
]);

/** For `--allocator`. */
export function allocator(text: string): AllocatorName {
  return lookUp('allocator', text.toLowerCase(), ALLOCATORS);
}

/** For an `--allocator` that takes both. */
export function allocatorList(text: string): AllocatorName[] {
  return wordList('--allocator')(text).map(allocator);
}

/** Of `--machine`, `--memory`, `--ram`. */
export interface MachineWords {
  readonly machine: string;
  readonly memory?: number;
  readonly ram?: string;
}

/** The board that the options name, or its zones over other RAM. */
export function machineOf({
  machine,
  memory,
  ram,
}: MachineWords): Pick<MachineOptions, 'machine'> & { memory?: number } {
  if (ram === undefined) return { machine, ...(memory !== undefined && { memory }) };
  if (memory !== undefined)
    throw new ArgumentError('--ram says how much memory there is: --memory cannot be given with it');
  return { machine: rangesMap(ram, machine) };
}

/** Puts examples before everything else in a command's help: what to type, then what it does. */
export function withExamples(
  command: Command,
  examples: readonly (readonly [type: string, does: string])[],
): Command {
  const width = Math.max(...examples.map(([type]) => type.length).filter((length) => length <= 46));
  const lines = examples.flatMap(([type, does]) =>
    type.length <= width
      ? [`  ${type.padEnd(width)}  ${does}`]
      : [`  ${type}`, `  ${' '.repeat(width)}  ${does}`],
  );
  return command.addHelpText('before', ['Examples:', ...lines, ''].join('\n'));
}
