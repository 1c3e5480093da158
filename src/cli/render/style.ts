/** Colours say nothing that a word or a sign does not say too, so that all of them may be switched off. */
import util from 'node:util';

export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
}

const same = (text: string) => text;

export const PLAIN: Style = { bold: same, dim: same, good: same, bad: same };

/** Applied line by line: a pager that shows some of the lines shows them as they are. */
function painted(format: Parameters<typeof util.styleText>[0]): (text: string) => string {
  // Node 20 before 20.12 does not have it.
  return (text) => (text === '' || !util.styleText ? text : util.styleText(format, text));
}

export const COLOURED: Style = {
  bold: painted('bold'),
  dim: painted('dim'),
  good: painted('green'),
  bad: painted('red'),
};

/** Whether a stream gets colours: a terminal that can, and nobody has said no. https://no-color.org */
export function wantsColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
  option: boolean,
): boolean {
  return option && stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}
