import type { Command } from 'commander';
import { type Streams, Terminal } from './terminal.js';

/** One run of the command line: where it prints, what was typed, how it ends. */
export class Session {
  readonly terminal: Terminal;
  /** The command as it was typed, for advice that builds on it. */
  readonly typed: string;
  exitCode = 0;

  constructor(streams: Streams, argv: readonly string[], colour: boolean) {
    this.terminal = new Terminal(streams, colour);
    this.typed = ['slablab', ...argv.map(quoted)].join(' ');
  }
}

/** Opens the session of a command when it is run: its options say whether there are colours. */
export type OpenSession = (command: Command) => Session;

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
