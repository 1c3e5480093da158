/**
 * What a reader of text found besides events: comments, damage, losses, and what a person should be told of it.
 */
import { InputError } from '../base/index.js';
import { DAMAGE_TOLD, type Damage, EVENT, lostWords, type ReadReport } from './events.js';
import type { FieldNotes } from './text-fields.js';
import type { TextShape } from './text-shape.js';

/** A text of which so many lines were read, and none could be understood, is something else. */
const FOREIGN_LINES = 1000;

export class TextFindings {
  readonly #shape: TextShape;
  readonly #file: string;
  readonly others = new Map<string, number>();
  comments = 0;
  lost = 0;
  damaged = 0;
  readonly damage: Damage[] = [];
  /** Lines as the trace option raw prints them, and the first of them. */
  #rawLines = 0;
  #rawLine = 0;
  /** A line was seen that only this tool prints. */
  hasHeader = false;
  /** Upper halves of all objects' pointers. */
  pointerBits = 0;
  hasCounts = false;
  lacksCpu = false;

  constructor(shape: TextShape, file: string) {
    this.#shape = shape;
    this.#file = file;
  }

  raw(line: number): void {
    if (this.#rawLines++ === 0) this.#rawLine = line;
  }

  /** Whether there is room for one more damage that is told, not only counted. */
  tellsMore(): boolean {
    return this.damage.length < DAMAGE_TOLD;
  }

  /** One more line is damaged. Throws InputError where none could be read for so long that the text must be something else. */
  spoilt(read: number): void {
    this.damaged++;
    if (this.damaged >= FOREIGN_LINES && read === 0) this.#refuse();
  }

  /** The text has ended. Throws InputError where there was nothing in it, or nothing of this tool. `read` events could be read. */
  end(lines: number, read: number): void {
    if (read > 0) return;
    if (this.#rawLines > 0 || (this.damaged > 0 && !this.hasHeader)) this.#refuse();
    if (this.hasHeader) return;
    throw new InputError(this.#file, 0, lines === 0 ? 'is empty' : `holds no event of ${this.#shape.format}`);
  }

  #refuse(): never {
    if (this.#rawLines > 0) {
      throw new InputError(
        this.#file,
        this.#rawLine,
        'was printed with the trace option raw, which leaves out what the events say; ' +
          'switch it off (echo 0 > options/raw) and print the trace again',
      );
    }
    const { line, why } = this.damage[0]!;
    const could =
      this.damaged === 1
        ? 'its only line could not be read'
        : `none of its first ${this.damaged} lines could be read`;
    throw new InputError(this.#file, line, `is no ${this.#shape.format}: ${could}: ${why}`);
  }

  report(bytes: number, lines: number, byKind: readonly number[], fields: FieldNotes): ReadReport {
    const { others, comments, lost, damaged, damage } = this;
    return {
      format: this.#shape.format,
      bytes,
      lines,
      byKind,
      others,
      comments,
      lost,
      damaged,
      damage,
      notes: this.#notes(byKind, fields),
    };
  }

  #notes(byKind: readonly number[], fields: FieldNotes): string[] {
    const { blankGfp, blankName, numberGfp, unknownGfp, unknownGfpNames, narrow } = fields;
    const sum = (from: number, to: number) => byKind.slice(from, to + 1).reduce((a, b) => a + b, 0);
    const objects = sum(EVENT.KMALLOC, EVENT.CACHE_FREE);
    const looksHashed = this.#shape.pointersMayBeHashed && !narrow && this.pointerBits === 0;
    const all: [boolean, string][] = [
      [this.lost > 0, lostWords(this.lost).slice(0, -1)],
      [
        looksHashed && objects > 0,
        'pointers are hashed (the kernel prints 32 bits of a hash): equal ones are one object most of the time, and no address is known',
      ],
      [
        blankGfp > 0,
        `gfp_flags is blank in ${blankGfp} events (the option nohash-ptr of some kernels destroys the first text of a line): ` +
          'which type of kmalloc they are of is not known',
      ],
      [
        blankName > 0,
        `name is blank in ${blankName} events, as the option nohash-ptr of some kernels leaves it: their cache is not known`,
      ],
      [numberGfp > 0, `gfp_flags is a number in ${numberGfp} events: its bits are taken as 6.1 numbers them`],
      [
        unknownGfp > 0,
        `${unknownGfp} events have gfp flags that slablab does not know: ${[...unknownGfpNames].join(', ')}`,
      ],
      [
        this.hasCounts,
        'times are counts of the clock that was traced with, not seconds: they are kept as they are',
      ],
      [this.lacksCpu, 'some lines name no CPU: they are taken as of CPU 0'],
      [
        this.others.size > 0 && sum(EVENT.KMALLOC, EVENT.PAGE_EXTFRAG) === 0,
        'none of its events is one of the kmem tracepoints',
      ],
    ];
    return all.flatMap(([holds, sentence]) => (holds ? [sentence] : []));
  }
}
