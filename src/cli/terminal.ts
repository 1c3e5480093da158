import { printable } from '../base/index.js';
import { COLOURED, type ColourChoice, PLAIN, painted, type Style, wantsColour } from './render/style.js';

/** What the command line needs of the process. */
export interface Streams {
  readonly stdout: OutStream;
  readonly stderr: OutStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface OutStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * Data goes out on stdout; what happens meanwhile is said on stderr, if somebody looks at it. Whatever a file said is in these lines, and
 * nothing of it moves the terminal (base/printable.ts).
 */
export class Terminal {
  /** Columns. */
  readonly width: number;
  readonly style: Style;
  readonly #streams: Streams;

  constructor(streams: Streams, colour: ColourChoice) {
    this.#streams = streams;
    this.width = terminalWidth(streams);
    this.style = wantsColour(streams.stdout, streams.env, colour) ? COLOURED : PLAIN;
  }

  /** The width of running text: lines of more than a hundred columns are hard to read. */
  get textWidth(): number {
    return Math.min(this.width, 100);
  }

  print(lines: readonly string[]): void {
    this.#write(lines.flatMap((line) => line.split('\n')).map(painted));
  }

  /** Fields with a tab between them, a line each: what `cut -f` takes apart. */
  printFields(rows: readonly (readonly string[])[]): void {
    this.#write(
      rows.map((fields) =>
        fields
          .map((field) => printable(field))
          .join('\t')
          .trimEnd(),
      ),
    );
  }

  /** Signs that are none to look at are escaped as JSON can: who reads it gets what there was. */
  printJson(value: unknown): void {
    this.#write([JSON.stringify(value, null, 2).replace(UNSEEN_IN_JSON, escaped)]);
  }

  #write(lines: readonly string[]): void {
    if (lines.length > 0) this.#streams.stdout.write(`${lines.join('\n')}\n`);
  }

  /** A line that goes away again, on a terminal only. Returns what takes it away. */
  progress(text: string): () => void {
    const { stderr, env } = this.#streams;
    if (stderr.isTTY !== true || env.TERM === 'dumb') return () => {};
    const signs = [...printable(text)];
    // What changes stands at the end.
    const shown = signs.length < this.width ? signs : ['…', ...signs.slice(2 - this.width)];
    stderr.write(shown.join(''));
    return () => stderr.write('\r\u001b[K');
  }

  /** A line on stderr. */
  complain(line: string): void {
    this.#streams.stderr.write(`${line.split('\n').map(painted).join('\n')}\n`);
  }
}

/** What JSON.stringify leaves as it is. */
const UNSEEN_IN_JSON = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu;

function escaped(sign: string): string {
  return [...Array(sign.length).keys()]
    .map((at) => `\\u${sign.charCodeAt(at).toString(16).padStart(4, '0')}`)
    .join('');
}

/**
 * Of the terminal; of COLUMNS where stdout is none, as `COLUMNS=120 slablab compare | less` means it; 80
 * otherwise.
 */
export function terminalWidth({ stdout, env }: Streams): number {
  const columns = stdout.columns ?? Number(env.COLUMNS);
  return Number.isInteger(columns) && columns > 0 ? Math.max(columns, 40) : 80;
}
