/**
 * What a binary reader counts while it reads: events, what it could not use, and what a person should know.
 */
import { DAMAGE_TOLD, type Damage, EVENT_NAMES, type ReadReport } from './events.js';

export class Tally {
  /** Events by EVENT. */
  readonly byKind: number[] = EVENT_NAMES.map(() => 0);
  readonly others = new Map<string, number>();
  lost = 0;
  damaged = 0;
  readonly #damage: Damage[] = [];
  readonly #notes = new Set<string>();

  /** Something at byte `offset` could not be read. */
  damage(offset: number, why: string): void {
    this.damaged++;
    if (this.#damage.length < DAMAGE_TOLD) this.#damage.push({ line: 0, offset, why });
  }

  other(name: string, count = 1): void {
    this.others.set(name, (this.others.get(name) ?? 0) + count);
  }

  /** One sentence for a person; said once. */
  note(sentence: string): void {
    this.#notes.add(sentence);
  }

  report(format: string, bytes: number): ReadReport {
    return {
      format,
      bytes,
      lines: 0,
      byKind: this.byKind,
      others: this.others,
      comments: 0,
      lost: this.lost,
      damaged: this.damaged,
      damage: this.#damage,
      notes: [...this.#notes],
    };
  }
}
