/**
 * # Scripts: an operation a line
 *
 *     map 0x100000 0x40000000 4K prot=READ   # words in order, then key=value in any order
 *
 * A kind of script is a table of verbs. Each says how its line is read, and what a right one looks like; what is wrong on a line is an
 * InputError that names file and line, what was expected there and what stands there.
 */
import {
  ArgumentError,
  EngineError,
  InputError,
  LedgerCorruptError,
  LedgerFullError,
  lookUp,
  SlablabError,
} from '../../base/index.js';

/** How the line of one operation is read. */
export interface Verb<Operation> {
  /** What the line looks like. */
  readonly usage: string;
  read(words: Words): Operation;
}

/** Lines of a text as operations, each with the number of its line. `#` begins a comment; empty lines are none. */
export function parseLines<Operation extends object>(
  text: string,
  file: string,
  verbs: ReadonlyMap<string, Verb<Operation>>,
): (Operation & { readonly line: number })[] {
  return text.split(/\r?\n/).flatMap((full, i) => {
    const [verb, ...words] = full.replace(/#.*/, '').split(/\s+/).filter(Boolean);
    if (verb === undefined) return [];
    return [
      atLine(file, i + 1, () => {
        const { usage, read } = lookUp('operation', verb, verbs);
        const left = new Words(words, usage);
        const operation = read(left);
        left.end();
        return { ...operation, line: i + 1 };
      }),
    ];
  });
}

/** Does something that is written on a line: what goes wrong says so. */
export function atLine<T>(file: string, line: number, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const own = [InputError, EngineError, LedgerCorruptError].some((kind) => error instanceof kind);
    if (own || !(error instanceof SlablabError)) throw error;
    // The writer of a script did not make the machine.
    throw new InputError(file, line, error instanceof LedgerFullError ? error.fact : error.message);
  }
}

/** The words of one line, taken one by one. */
export class Words {
  readonly #words: string[];
  readonly #options = new Map<string, string>();
  readonly #usage: string;

  constructor(words: readonly string[], usage: string) {
    this.#words = words.filter((word) => !word.includes('='));
    this.#usage = usage;
    for (const word of words.filter((each) => each.includes('='))) {
      const at = word.indexOf('=');
      const key = word.slice(0, at);
      if (this.#options.has(key)) throw new ArgumentError(`${key}= is given twice`);
      this.#options.set(key, word.slice(at + 1));
    }
  }

  next(what: string): string {
    const word = this.#words.shift();
    if (word === undefined) throw new ArgumentError(`expected ${what}, but the line ends: ${this.#usage}`);
    return word;
  }

  /** The next word if there is one. */
  optional(): string | undefined {
    return this.#words.shift();
  }

  has(flag: string): boolean {
    const at = this.#words.indexOf(flag);
    if (at >= 0) this.#words.splice(at, 1);
    return at >= 0;
  }

  option<T>(key: string, read: (text: string) => T, otherwise: T): T {
    const text = this.#options.get(key);
    this.#options.delete(key);
    return text === undefined ? otherwise : read(text);
  }

  /** Throws for what nobody asked for. */
  end(): void {
    const [word] = [...this.#words, ...[...this.#options.keys()].map((key) => `${key}=`)];
    if (word !== undefined) throw new ArgumentError(`'${word}' does not belong here: ${this.#usage}`);
  }
}

/** For a word that counts from 1 on. */
export function readCount(text: string): number {
  if (!/^[1-9]\d*$/.test(text))
    throw new ArgumentError(`expected a count from 1 on, but there stands '${text}'`);
  return Number(text);
}
