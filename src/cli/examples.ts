/** What stands around a command's options in its help. Loaded with every command, so it needs little. */
import type { Command } from 'commander';
import { largestOf } from '../base/index.js';
import { displayWidth, wrap, wrapCommand } from './render/text.js';

/** Puts examples before everything else in a command's help: what to type, then what it does. */
export function withExamples(
  command: Command,
  examples: readonly (readonly [type: string, does: string])[],
): Command {
  const column = largestOf(examples.map(([type]) => type.length).filter((length) => length <= 46));
  return command.addHelpText('before', ({ command: helped }) => {
    const width = helpWidth(helped);
    const beside = largestOf(examples.map(([, does]) => does.length)) + column + 4 <= width;
    const lines = examples.flatMap(([type, does]) => {
      if (!beside) return [...wrapCommand(type, width), ...wrap(does, width, '      ', '      ')];
      if (type.length <= column) return [`  ${type.padEnd(column)}  ${does}`];
      return [`  ${type}`, `  ${' '.repeat(column)}  ${does}`];
    });
    return ['Examples:', ...lines, ''].join('\n');
  });
}

/** Text after a command's help, written for 80 columns. */
export function withExplanation(command: Command, text: string): Command {
  return command.addHelpText('after', ({ command: helped }) => {
    const width = helpWidth(helped);
    const lines = text.split('\n').flatMap((line) => {
      if (displayWidth(line) <= width) return [line];
      const begin = /^ */.exec(line)![0];
      return wrap(line, width, `${begin}    `, begin);
    });
    return lines.join('\n');
  });
}

/** Columns that help has. */
export function helpWidth(command: Command): number {
  return command.configureOutput().getOutHelpWidth?.() ?? 80;
}
