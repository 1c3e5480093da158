/** What the learner has in hand: a cache, a CPU, flags, perhaps an object; and what buttons and keys do with it. */
import { signal } from '@preact/signals';
import type { Gfp } from '../../../base/index.js';
import { GFP } from '../../../machine/index.js';
import type { LessonObject } from './lesson.js';
import type { LessonSession } from './session.js';

/** Milliseconds that the button lets pass: as often the reaper comes. */
const WAIT_MS = 2000;

export class Hand {
  readonly session: LessonSession;
  readonly cpu = signal(0);
  readonly gfp = signal<Gfp>(GFP.KERNEL);
  readonly #chosen = signal<string | undefined>(undefined);
  /** An object's number. */
  readonly #picked = signal<number | undefined>(undefined);

  constructor(session: LessonSession) {
    this.session = session;
  }

  /** The cache that was chosen, or the newest where that one is gone. */
  get cache(): string | undefined {
    const names = [...this.session.shown.lesson.state.names.keys()];
    return names.find((name) => name === this.#chosen.value) ?? names.at(-1);
  }

  choose(name: string): void {
    this.#chosen.value = name;
    this.#picked.value = undefined;
  }

  /** All live objects of caches that are there, by their numbers. */
  get live(): LessonObject[] {
    const { objects, names } = this.session.shown.lesson.state;
    return objects.filter((object) => object.live && names.has(object.cache));
  }

  get picked(): number | undefined {
    return this.live.find(({ number }) => number === this.#picked.value)?.number;
  }

  pick(number: number | undefined): void {
    this.#picked.value = number;
  }

  /** The next or the one before among all live objects; from the newest on. */
  pickNeighbour(by: 1 | -1): void {
    const { live, picked } = this;
    const at = live.findIndex(({ number }) => number === picked);
    const to = at < 0 ? live.length - 1 : (at + by + live.length) % live.length;
    this.pick(live[to]?.number);
  }

  /** What `free` frees: the object that is picked, else the newest of the cache. */
  get toFree(): LessonObject | undefined {
    const { live, picked, cache } = this;
    return live.find(({ number }) => number === picked) ?? live.findLast((object) => object.cache === cache);
  }

  alloc(times: number): void {
    const { cache } = this;
    if (cache === undefined) return;
    this.session.repeat({ kind: 'alloc', name: cache, cpu: this.cpu.value, gfp: this.gfp.value }, times);
  }

  free(object = this.toFree): void {
    if (object === undefined) return;
    this.session.do({ kind: 'free', object: object.number, cpu: this.cpu.value });
  }

  act(kind: 'shrink' | 'destroy'): void {
    const { cache } = this;
    if (cache !== undefined) this.session.do({ kind, name: cache });
  }

  wait(): void {
    this.session.do({ kind: 'wait', milliseconds: WAIT_MS });
  }
}
