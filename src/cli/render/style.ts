/** Colours say nothing that a word or a sign does not say too, so that all of them may be switched off. */
import { printable } from '../../base/index.js';

export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
}

/**
 * What a line says of its colours until it is printed: signs that no text has, for whatever else would move a terminal is taken out
 * of a line before it goes there (terminal.ts).
 */
const MARKS: ReadonlyMap<string, string> = new Map([
  ['\ufdd0', '\u001b[1m'],
  ['\ufdd1', '\u001b[2m'],
  ['\ufdd2', '\u001b[22m'],
  ['\ufdd3', '\u001b[32m'],
  ['\ufdd4', '\u001b[31m'],
  ['\ufdd5', '\u001b[39m'],
]);
/** All of them: nothing on a screen. */
export const MARK = /([\ufdd0-\ufdd5])/g;

/** A line as it goes to a terminal, with what a file said in it made printable. */
export function painted(line: string): string {
  return line
    .split(MARK)
    .map((part, i) => (i % 2 === 1 ? MARKS.get(part)! : printable(part)))
    .join('');
}

const same = (text: string) => text;

export const PLAIN: Style = { bold: same, dim: same, good: same, bad: same };

/** Applied line by line: a pager that shows some of the lines shows them as they are. */
function marked(begin: string, end: string): (text: string) => string {
  return (text) => (text === '' ? text : begin + text + end);
}

export const COLOURED: Style = {
  bold: marked('\ufdd0', '\ufdd2'),
  dim: marked('\ufdd1', '\ufdd2'),
  good: marked('\ufdd3', '\ufdd5'),
  bad: marked('\ufdd4', '\ufdd5'),
};

/** What `--color` says; `--no-color` is never. */
export type ColourChoice = 'always' | 'never' | 'auto';

/**
 * Whether a stream gets colours: what the option says, else what FORCE_COLOR and NO_COLOR say (https://no-color.org: empty, they say
 * nothing), else whether it is a terminal that can.
 */
export function wantsColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
  choice: ColourChoice,
): boolean {
  if (choice !== 'auto') return choice === 'always';
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}
