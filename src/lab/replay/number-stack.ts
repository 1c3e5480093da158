/** A stack of numbers that can be as long as a machine has objects. */
import { grown } from '../../base/index.js';

/**
 * Numbers of which the newest goes first, eight bytes each in a typed array: fifty million of them are no load for the garbage collector,
 * and none is ever spread into a call.
 */
export class NumberStack<T extends number> implements Iterable<T> {
  #values: Float64Array;
  #length = 0;

  /** `room`: how many are expected. More find room too. */
  constructor(room = 0) {
    this.#values = new Float64Array(room);
  }

  get length(): number {
    return this.#length;
  }

  /** The one at a place, counted from the oldest; undefined outside. */
  at(index: number): T | undefined {
    return index >= 0 && index < this.#length ? (this.#values[index] as T) : undefined;
  }

  push(value: T): void {
    if (this.#length === this.#values.length) this.#values = grown(this.#values, this.#roomFor(1));
    this.#values[this.#length++] = value;
  }

  pop(): T | undefined {
    return this.#length === 0 ? undefined : (this.#values[--this.#length] as T);
  }

  /** Adds all of another stack, its oldest first. */
  pushAll(from: NumberStack<T>): void {
    const values = from.#values.subarray(0, from.#length);
    if (this.#length + values.length > this.#values.length)
      this.#values = grown(this.#values, this.#roomFor(values.length));
    this.#values.set(values, this.#length);
    this.#length += values.length;
  }

  /** Keeps those for which `keep` is true, by their places, in their order. */
  filter(keep: (index: number) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.#length; i++) if (keep(i)) this.#values[kept++] = this.#values[i]!;
    this.#length = kept;
  }

  /** Makes this the `count` oldest of another, which it once was. What both still have is not copied. */
  becomeStartOf(whole: NumberStack<T>, count: number): void {
    const from = Math.min(this.#length, count);
    if (this.#values.length < count) this.#values = grown(this.#values, count);
    this.#values.set(whole.#values.subarray(from, count), from);
    this.#length = count;
  }

  /** A copy with no room to spare. */
  copy(): NumberStack<T> {
    const copy = new NumberStack<T>(this.#length);
    copy.pushAll(this);
    return copy;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.#length; i++) yield this.#values[i] as T;
  }

  #roomFor(more: number): number {
    return Math.max(16, this.#length + more, Math.ceil(this.#values.length * 1.5));
  }
}
