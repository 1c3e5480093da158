import type { Command } from 'commander';

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
