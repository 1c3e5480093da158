import { COLOURED, PLAIN, type Style, wantsColour } from './render/style.js';

/** What the command line needs of the process. */
export interface Streams {
  readonly stdout: OutStream;
  readonly stderr: OutStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface OutStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Data goes out on stdout; what happens meanwhile is said on stderr, if somebody looks at it. */
export class Terminal {
  /** Columns. */
  readonly width: number;
  readonly style: Style;
  readonly #streams: Streams;

  constructor(streams: Streams, colour: boolean) {
    this.#streams = streams;
    this.width = terminalWidth(streams);
    this.style = wantsColour(streams.stdout, streams.env, colour) ? COLOURED : PLAIN;
  }

  /** The width of running text: lines of more than a hundred columns are hard to read. */
  get textWidth(): number {
    return Math.min(this.width, 100);
  }

  print(lines: readonly string[]): void {
    if (lines.length > 0) this.#streams.stdout.write(`${lines.join('\n')}\n`);
  }

  printJson(value: unknown): void {
    this.print([JSON.stringify(value, null, 2)]);
  }

  /** A line that goes away again, on a terminal only. Returns what takes it away. */
  progress(text: string): () => void {
    const { stderr } = this.#streams;
    if (stderr.isTTY !== true) return () => {};
    const signs = [...text];
    const room = this.width - 1;
    stderr.write(signs.length <= room ? text : `${signs.slice(0, room - 1).join('')}…`);
    return () => stderr.write('\r\u001b[K');
  }

  /** A line on stderr. */
  complain(line: string): void {
    this.#streams.stderr.write(`${line}\n`);
  }
}

/**
 * Of the terminal; of COLUMNS where stdout is none, as `COLUMNS=120 slablab compare | less` means it; 80
 * otherwise.
 */
export function terminalWidth({ stdout, env }: Streams): number {
  const columns = stdout.columns ?? Number(env.COLUMNS);
  return Number.isInteger(columns) && columns > 0 ? Math.max(columns, 40) : 80;
}
