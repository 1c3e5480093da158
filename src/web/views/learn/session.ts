/**
 * The lesson that is shown, and how it is written into the address:
 *
 *     #learn?tour=3                                    the tour, at its third stop
 *     #learn?lesson=create+t+64%3Balloc+t+2&step=2     acts of one's own, two of them done
 *     #learn?allocator=slab&…                          the same with SLAB
 */
import { type Signal, signal } from '@preact/signals';
import { ArgumentError, SlablabError } from '../../../base/index.js';
import { ALLOCATORS, type AllocatorName } from '../../../slab/index.js';
import { type Act, formatActs, parseActs } from './acts.js';
import { Lesson, STEPS_MAX } from './lesson.js';
import { type Stop, TOURS } from './tour.js';

/** What of a lesson an address says. */
type LessonPlace = ReadonlyMap<'allocator' | 'tour' | 'lesson' | 'step', string>;

/** The one that is shown where an address names none. */
const USUAL = [...ALLOCATORS.values()][0]!;

/** What is shown of a session; another object after each change. */
interface Shown {
  readonly lesson: Lesson;
  /** The stop of the tour; undefined when the learner goes alone. */
  readonly stop: number | undefined;
  /** The stop that was left, to go back to. */
  readonly left: number;
  /** Why the last thing that was asked for was not done. */
  readonly refused: string | undefined;
}

export class LessonSession {
  readonly #shown: Signal<Shown>;
  #lesson = new Lesson(USUAL);
  #stop: number | undefined = 0;
  #left = 0;
  #refused: string | undefined;

  constructor() {
    this.#shown = signal(this.#now());
  }

  /** Who reads it is drawn again when it changes. */
  get shown(): Shown {
    return this.#shown.value;
  }

  get tour(): readonly Stop[] {
    return TOURS[this.shown.lesson.allocator];
  }

  /** Does something of the learner's own: the tour is left. Returns whether it was done. */
  do(act: Act): boolean {
    return this.#try(() => {
      this.#lesson.do(act);
      this.#leave();
    });
  }

  /** The same thing so many times, until it is refused. */
  repeat(act: Act, times: number): void {
    for (let i = 0; i < times; i++) if (!this.do(act)) return;
  }

  /** Goes to the machine as it was after so many steps. */
  goTo(position: number): void {
    this.#try(() => this.#lesson.goTo(position));
  }

  /** Starts anew with nothing. */
  clear(allocator: AllocatorName = this.#lesson.allocator): void {
    this.#try(() => {
      this.#lesson = new Lesson(allocator);
      this.#leave();
    });
  }

  /** Starts anew with the acts of a script: all of them or, if one is refused, those before it. Returns whether all were done. */
  play(text: string, allocator: AllocatorName = this.#lesson.allocator): boolean {
    return this.#try(() => {
      const acts = parseActs(text);
      if (acts.length > STEPS_MAX)
        throw new ArgumentError(`a lesson has at most ${STEPS_MAX} steps, not ${acts.length}`);
      this.#lesson = new Lesson(allocator);
      this.#leave();
      for (const act of acts) this.#lesson.do(act);
    });
  }

  /** Goes to a stop of the tour, as if nothing else had been done. */
  goToStop(stop: number, allocator: AllocatorName = this.#lesson.allocator): void {
    this.#try(() => {
      const tour = TOURS[allocator];
      const at = Math.max(0, Math.min(stop, tour.length - 1));
      const acts = tour.slice(0, at + 1).flatMap((each) => parseActs(each.acts));
      if (this.#stop === undefined || allocator !== this.#lesson.allocator)
        this.#lesson = new Lesson(allocator);
      this.#lesson.goTo(Math.min(acts.length, this.#lesson.steps.length));
      for (const act of acts.slice(this.#lesson.position)) this.#lesson.do(act);
      this.#stop = at;
      this.#left = at;
    });
  }

  /** How many steps lead up to the stop that is shown, and to the one before it. */
  stopSteps(stop: number): { readonly from: number; readonly to: number } {
    const count = (stops: readonly Stop[]) =>
      stops.reduce((sum, { acts }) => sum + parseActs(acts).length, 0);
    return { from: count(this.tour.slice(0, stop)), to: count(this.tour.slice(0, stop + 1)) };
  }

  /** All acts as lines, those that were taken back too. */
  get script(): string[] {
    return formatActs(this.shown.lesson.steps.map(({ act }) => act));
  }

  get place(): LessonPlace {
    const { allocator, steps, position } = this.#lesson;
    const words: ['allocator' | 'tour' | 'lesson' | 'step', string][] = [];
    if (allocator !== USUAL) words.push(['allocator', allocator]);
    if (this.#stop !== undefined) {
      if (this.#stop > 0) words.push(['tour', String(this.#stop + 1)]);
      if (position !== this.stopSteps(this.#stop).to) words.push(['step', String(position)]);
    } else {
      words.push(['lesson', this.script.join(';')]);
      if (position !== steps.length) words.push(['step', String(position)]);
    }
    return new Map(words);
  }

  /** Goes where an address says; what makes no sense in it is left out. */
  follow(place: ReadonlyMap<string, string>): void {
    const allocator = ALLOCATORS.get(place.get('allocator') ?? '') ?? USUAL;
    const lesson = place.get('lesson');
    const step = place.get('step') ?? '';
    const { place: here } = this;
    if (['allocator', 'tour', 'lesson', 'step'].every((name) => here.get(name as 'tour') === place.get(name)))
      return;
    if (lesson !== undefined) this.play(lesson, allocator);
    else this.goToStop(Number(/^\d{1,3}$/.exec(place.get('tour') ?? '')?.[0] ?? 1) - 1, allocator);
    if (/^\d{1,4}$/.test(step) && this.#refused === undefined) this.goTo(Number(step));
  }

  #now(): Shown {
    return { lesson: this.#lesson, stop: this.#stop, left: this.#left, refused: this.#refused };
  }

  #leave(): void {
    this.#stop = undefined;
  }

  #try(change: () => void): boolean {
    this.#refused = undefined;
    try {
      change();
    } catch (error) {
      if (!(error instanceof SlablabError)) throw error;
      this.#refused = error.message;
    }
    this.#shown.value = this.#now();
    return this.#refused === undefined;
  }
}
