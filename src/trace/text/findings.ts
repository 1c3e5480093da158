/**
 * What a reader of text found besides events: comments, damage, losses, and what a person should be told of it.
 */
import { InputError } from '../../base/index.js';
import {
  DAMAGE_TOLD,
  type Damage,
  EVENT,
  EVENT_NAMES,
  judgePointers,
  lostWords,
  type PointerBits,
  type ReadReport,
} from '../batch/index.js';
import type { FieldNotes } from './fields.js';
import type { TextShape } from './shape.js';

/** A text of which so many lines were read, and none could be understood, is something else. */
const FOREIGN_LINES = 1000;

/** So many events of one kind that cannot be read, and none that can, are no damage. */
const UNREAD_MAX = 3;

/** What lines without a head look like, and how they came to be. */
const OMISSIONS: readonly (readonly [shape: RegExp, why: string])[] = [
  [
    /^\d+ \d+ \d+ /,
    'was printed with the trace option raw, which leaves out what the events say; ' +
      'switch it off (echo 0 > options/raw) and print the trace again',
  ],
  [
    /^[0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{16} /,
    'was printed with the trace option hex, which leaves out what the events say; ' +
      'switch it off (echo 0 > options/hex) and print the trace again',
  ],
  [
    /^[\s\S]{4,16}type: \d+$/,
    'was printed with the trace option bin, which leaves out what the events say; ' +
      'switch it off (echo 0 > options/bin) and print the trace again',
  ],
  [
    /^(?:kmalloc|kfree|kmem_cache_alloc|kmem_cache_free|kmalloc_node|kmem_cache_alloc_node|mm_page_\w{1,20}): /,
    'was printed without the trace option context-info, so that no line has a task, a CPU and a time; ' +
      'switch it on (echo 1 > options/context-info) and print the trace again',
  ],
  [
    /(?:^|\s)kmem:\w{4,25}: /,
    'was printed without the fields that each line begins with; ' +
      'print it again with perf script -F comm,tid,cpu,time,event,trace',
  ],
];

export class TextFindings {
  readonly #shape: TextShape;
  readonly #file: string;
  readonly others = new Map<string, number>();
  comments = 0;
  lost = 0;
  damaged = 0;
  readonly damage: Damage[] = [];
  /** What was left out when the text was printed, and the first line that shows it. */
  #omission = '';
  #omissionLine = 0;
  /** Events of a kind that could not be read: how many, and the first of them. */
  readonly #unread = new Map<number, { count: number; readonly line: number; readonly why: string }>();
  /** A line was seen that only this tool prints. */
  hasHeader = false;
  /** Of allocations. */
  pointers: PointerBits = { count: 0, low: 0, high: 0 };
  hasCounts = false;
  lacksCpu = false;

  constructor(shape: TextShape, file: string) {
    this.#shape = shape;
    this.#file = file;
  }

  /** A line without the head of an event. It may be one of those that a trace option prints. */
  unheaded(line: number, text: string): void {
    if (this.#omission !== '') return;
    this.#omission = OMISSIONS.find(([shape]) => shape.test(text))?.[1] ?? '';
    this.#omissionLine = line;
  }

  /** An event of this kind could not be read. */
  unread(kind: number, line: number, why: string): void {
    const known = this.#unread.get(kind);
    if (known === undefined) this.#unread.set(kind, { count: 1, line, why });
    else known.count++;
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

  /**
   * The text has ended. Throws InputError where there was nothing in it, nothing of this tool, or nothing that could be read of a kind of
   * events that it has: figures without them would be wrong. `read` events could be read, by kind in `byKind`.
   */
  end(lines: number, read: number, byKind: readonly number[]): void {
    for (const [kind, { count, line, why }] of this.#unread) {
      if (count < UNREAD_MAX || byKind[kind] !== 0) continue;
      const what = `none of its ${count} ${EVENT_NAMES[kind]} events could be read`;
      throw new InputError(this.#file, line, `${what}, so that no figure would be right: ${why}`);
    }
    if (read > 0) return;
    if (this.#omission !== '' || (this.damaged > 0 && !this.hasHeader)) this.#refuse();
    if (this.hasHeader) return;
    throw new InputError(this.#file, 0, lines === 0 ? 'is empty' : `holds no event of ${this.#shape.format}`);
  }

  #refuse(): never {
    if (this.#omission !== '') throw new InputError(this.#file, this.#omissionLine, this.#omission);
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
    const { blankGfp, blankName, numberGfp, unknownGfp, unknownGfpNames } = fields;
    const sum = (from: number, to: number) => byKind.slice(from, to + 1).reduce((a, b) => a + b, 0);
    const isHashed = this.#shape.pointersMayBeHashed && judgePointers(this.pointers) === 'hashed';
    const all: [boolean, string][] = [
      [this.lost > 0, lostWords(this.lost).slice(0, -1)],
      [
        isHashed,
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
