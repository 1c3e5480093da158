import type { Command } from 'commander';
import { withUnits } from './json-units.js';
import type { ColourChoice } from './render/style.js';
import { type Streams, Terminal } from './terminal.js';
import { packageVersion } from './version.js';

/** Of what `--json` prints. A field more is no new version, one less or with another meaning is. */
const JSON_VERSION = 2;

/** Options whose `-` is standard output. */
const OUTPUTS = ['-o', '--out', '--html'];

/** One run of the command line: where it prints, what was typed, how it ends. */
export class Session {
  readonly terminal: Terminal;
  /** The command as it was typed, for advice that builds on it. */
  readonly typed: string;
  exitCode = 0;
  readonly #command: string;

  constructor(streams: Streams, argv: readonly string[], colour: ColourChoice, command: string) {
    this.#command = command;
    this.terminal = new Terminal(streams, colour);
    // What came through a pipe is gone: the command alone would wait for a person to type it.
    const piped = argv.some((word, i) => word === '-' && !OUTPUTS.includes(argv[i - 1] ?? ''));
    this.typed = [...(piped ? ['… |'] : []), 'slablab', ...argv.map(quoted)].join(' ');
  }

  /** What a command found, for programs: which schema it follows, which command said it and of which version, then the rest. */
  printJson(value: object): void {
    this.terminal.printJson(this.jsonOf(value));
  }

  jsonOf(value: object): object {
    const head = {
      schema: `slablab/${this.#command}/${JSON_VERSION}`,
      version: JSON_VERSION,
      command: this.#command,
      slablab: packageVersion(),
    };
    return { ...head, ...(withUnits(value) as object), ...head };
  }
}

/** Opens the session of a command when it is run: its options say whether there are colours. */
export type OpenSession = (command: Command) => Session;

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
