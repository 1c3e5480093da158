/** What is open in a worker: a trace, what is known of the machine it was recorded on, and replays of it that can be looked at. */
import { ArgumentError } from '../../base/index.js';
import { createLook, type Look, type Recorded, readWhatIf } from '../../lab/index.js';
import type { SavedTrace } from '../../trace/index.js';
import type { CallContext } from './call.js';

/** Looks hold memory of their own: so many are kept, those asked for last. */
const LOOKS_MAX = 3;

interface Held {
  readonly trace: SavedTrace;
  readonly recorded: Recorded;
  /** By the text of their settings, the one asked for last at the end. */
  readonly looks: Map<string, Look>;
}

export class Session {
  #held: Held | undefined;

  /** Opens a trace in place of what was open. If `step` throws, that is open as before. */
  open<T>(trace: SavedTrace, recorded: Recorded, step: () => T): T {
    const before = this.#held;
    this.#held = { trace, recorded, looks: new Map() };
    try {
      return step();
    } catch (error) {
      this.#held = before;
      throw error;
    }
  }

  close(): void {
    this.#held = undefined;
  }

  get #open(): Held {
    if (this.#held === undefined) throw new ArgumentError('no trace is open');
    return this.#held;
  }

  get recorded(): Recorded {
    return this.#open.recorded;
  }

  get trace(): SavedTrace {
    return this.#open.trace;
  }

  /** The replay under a what-if, as `--set` takes it; '' is as recorded. Made when it is asked for first. */
  look(set: string, context: CallContext): Look {
    const { recorded, looks } = this.#open;
    let look = looks.get(set);
    if (look === undefined) {
      const begun = performance.now();
      const { rows } = recorded.trace;
      look = createLook(recorded, readWhatIf(set), {
        onProgress: (events) =>
          context.tell({
            what: set === '' ? 'replaying' : `replaying ${set}`,
            events,
            share: events / Math.max(rows, 1),
            elapsed: performance.now() - begun,
          }),
      });
    }
    looks.delete(set);
    looks.set(set, look);
    for (const oldest of looks.keys()) {
      if (looks.size <= LOOKS_MAX) break;
      if (oldest !== '') looks.delete(oldest);
    }
    return look;
  }
}
