import { pushAll } from '../../base/index.js';

/**
 * Text in columns. Widths count code points, without what only colours them: slablab prints no character
 * that is two columns wide.
 */
import { MARK } from './style.js';

/** Columns that a line takes on a terminal. */
export function displayWidth(line: string): number {
  let width = 0;
  for (const _ of line.replace(MARK, '')) width++;
  return width;
}

export function padLeft(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - displayWidth(text))) + text;
}

export function padRight(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** In the middle, nearer to the left where it cannot be exact. */
export function centre(text: string, width: number): string {
  const left = Math.floor(Math.max(0, width - displayWidth(text)) / 2);
  return padRight(' '.repeat(left) + text, width);
}

/**
 * Lines of at most `width` columns: `first` begins the first, `indent` the others. A word that is longer by
 * itself is cut.
 */
export function wrap(text: string, width: number, indent = '', first = ''): string[] {
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(/[ \n]+/)) {
    if (word === '') continue;
    if (line.trim() !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = indent;
    }
    line += line.trim() === '' ? word : ` ${word}`;
    while (displayWidth(line) > width) {
      const signs = [...line];
      lines.push(signs.slice(0, width).join(''));
      line = indent + signs.slice(width).join('');
    }
  }
  return line.trim() === '' ? lines : [...lines, line];
}

/** A command to be copied: a shell goes on behind a backslash. */
export function wrapCommand(command: string, width: number): string[] {
  // Inside quotes a backslash would be a part of the word.
  if (/['"]/.test(command)) return [`  ${command}`];
  const lines = wrap(command, width - 2, '    ', '  ');
  return lines.map((line, i) => (i < lines.length - 1 ? `${line} \\` : line));
}

/** Parts beside each other with a sign between them; a line breaks between parts where that is possible. */
export function wrapParts(parts: readonly string[], width: number, between = ' · '): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const joined = last === undefined ? part : `${last}${between}${part}`;
    if (last !== undefined && displayWidth(joined) <= width) lines[lines.length - 1] = joined;
    else pushAll(lines, wrap(part, width));
  }
  return lines;
}
