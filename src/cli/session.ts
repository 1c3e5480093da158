import type { Command } from 'commander';
import { type Streams, Terminal } from './terminal.js';

/** Options whose `-` is standard output. */
const OUTPUTS = ['-o', '--out', '--html'];

/** One run of the command line: where it prints, what was typed, how it ends. */
export class Session {
  readonly terminal: Terminal;
  /** The command as it was typed, for advice that builds on it. */
  readonly typed: string;
  exitCode = 0;

  constructor(streams: Streams, argv: readonly string[], colour: boolean) {
    this.terminal = new Terminal(streams, colour);
    // What came through a pipe is gone: the command alone would wait for a person to type it.
    const piped = argv.some((word, i) => word === '-' && !OUTPUTS.includes(argv[i - 1] ?? ''));
    this.typed = [...(piped ? ['… |'] : []), 'slablab', ...argv.map(quoted)].join(' ');
  }
}

/** Opens the session of a command when it is run: its options say whether there are colours. */
export type OpenSession = (command: Command) => Session;

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
